"""Checks a built site: `python -m docs.site.check build/site`.

MkDocs has checked the links between its pages. This checks what it does not: that the pages load
nothing from other hosts, and that every local address in the built pages, anchors included, exists.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""Elements that load something when a page is opened, and the attribute that says what."""


class _Page(HTMLParser):
    """What a page loads, where it links to, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        found = {name: value for name, value in attrs if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if source := found.get(_LOADING.get(tag, "")):
            self.loads.append(source)
        if tag == "link" and found.get("rel") in ("stylesheet", "preload", "preconnect", "icon"):
            self.loads.append(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


def faults(site: Path) -> Iterator[str]:
    """What is wrong with a site."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where}: loads {name}" for name in page.loads if urlsplit(name).netloc)
        if where.name == "404.html":  # served for any address, so that its links are absolute
            continue
        for link in (*page.loads, *page.links):
            target, anchor = _place(path, link)
            if target is None:
                continue
            if not target.exists():
                yield f"{where}: there is no {link}"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{where}: there is no place {link}"


def _place(page: Path, link: str) -> tuple[Path | None, str]:
    """File and anchor of a link from a page; no file if it leads to another host."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None, ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    return target, unquote(parts.fragment)


def main() -> int:
    """Print what is wrong; the status says whether anything is."""
    site = Path(sys.argv[1]).resolve()
    found = sorted(set(faults(site)))
    print("\n".join(found) or f"{site}: {len(list(site.rglob('*.html')))} pages, no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
