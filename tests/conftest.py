"""What holds for every test: properties are about results, so a slow machine never fails one."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("lazarus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lazarus")
