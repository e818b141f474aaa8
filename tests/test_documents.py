"""Documents that are made from the product stay equal to it."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_keys_page_is_made_from_the_action_table() -> None:
    made = runpy.run_path(str(DOCS / "make_keys.py"))["text"]()
    assert (DOCS / "keys.md").read_text(encoding="utf-8") == made, "run: python docs/make_keys.py"


def test_every_link_between_documents_leads_somewhere() -> None:
    import re

    broken = [
        (page.name, target)
        for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
