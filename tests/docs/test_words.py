"""What `docs/troubleshooting.md` quotes are words that the program says."""

import re

from documents import ROOT

PAGE = ROOT / "docs/troubleshooting.md"


def test_quoted_messages_are_the_programs_own():
    said = " ".join(" ".join(file.read_text().split()) for file in sorted((ROOT / "src").rglob("*.rs")))
    said = re.sub(r"\{[A-Z]+(:#)?\}", "", said)  # colours
    rows = re.findall(r"^\| (`.*?) \| .* \| .* \|$", PAGE.read_text(), re.MULTILINE)
    quoted = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) > 50
    # Between two dots a value differs; between two words of a few letters nothing can be told.
    pieces = [piece.strip(" (:,;") for message in quoted for piece in message.split("...")]
    assert [piece for piece in pieces if len(piece) > 8 and piece not in said] == []


def test_every_code_has_its_place_in_the_table():
    codes = {page.stem for page in (ROOT / "docs/codes").glob("FI*.md")}
    assert set(re.findall(r"\]\(codes/(FI\d+)\.md\)", PAGE.read_text())) == codes
