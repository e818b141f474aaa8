"""The whole table."""

from __future__ import annotations

import case_access
import case_answers
import case_apply
import case_controllers
import case_customs
import case_deletion
import case_lists
import case_objects
import case_patches
import case_quotas
import case_rights
import case_rules
import case_watches
from conformance_cases import Case

_AREAS = (
    case_access,
    case_answers,
    case_apply,
    case_controllers,
    case_customs,
    case_deletion,
    case_lists,
    case_objects,
    case_patches,
    case_quotas,
    case_rights,
    case_rules,
    case_watches,
)
ALL: tuple[Case, ...] = tuple(case for area in _AREAS for case in area.TABLE.cases)
