"""Hooks of MkDocs: pages that are generated, and links from pages to other files of the project."""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.generated import GENERATED

ROOT = Path(__file__).parents[2]

PROJECT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
"""Files of the project's folder by their place on the site; the README's is the first page."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files that pages name."""
    for name, make in GENERATED.items():
        files.append(File.generated(config, name, content=make()))
    for source, name in PROJECT.items():
        if name.startswith("project/"):
            files.append(File.generated(config, name, content=(ROOT / source).read_text()))
    for name in sorted(set(_linked_files(files))):
        files.append(File.generated(config, f"source/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the project point to their copies on the site."""
    return rewrite(markdown, page.file.src_uri)


def rewrite(markdown: str, name: str) -> str:
    """A page's text with links as they are on the site.

    Parameters
    ----------
    markdown : the text
    name : of the page on the site
    """
    folder = _source_folder(name)

    def place(match: re.Match[str]) -> str:
        target, hash_, anchor = match[2].partition("#")
        path = _inside(folder, target)
        if path is None:
            return match[0]
        found = PROJECT.get(path) or (
            path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}"
        )
        return f"{match[1]}{relpath(found, normpath(f'{name}/..'))}{hash_}{anchor}{match[3]}"

    return _LINK.sub(place, markdown)


def _linked_files(files: Files) -> Iterator[str]:
    """Files outside of the pages' folder that pages link to."""
    for file in files.documentation_pages():
        for match in _LINK.finditer(file.content_string):
            path = _inside(_source_folder(file.src_uri), match[2].partition("#")[0])
            if path is not None and path not in PROJECT and not path.startswith("docs/"):
                yield path


def _source_folder(name: str) -> str:
    """Folder in the project of the text of a page, from which its links start."""
    if name.startswith("project/"):
        return "."
    return normpath(f"docs/{name}/..")


def _inside(folder: str, target: str) -> str | None:
    """Path in the project of a link's target; None for other links and unknown files."""
    if not target or ":" in target:
        return None
    path = normpath(f"{folder}/{target}")
    return path if (ROOT / path).is_file() else None
