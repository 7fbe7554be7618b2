"""Builds the documentation, a static site: build.py CNNC FOLDER [--sphinx COMMAND] [--jobs N]

FOLDER/pages gets the pages as Markdown, FOLDER/html the site. What is written by hand is in docs/pages; the documents of the
repository, the tables of ops and passes, and what commands print are put in here. A command that fails, a link that leads
nowhere, and a warning of Sphinx are errors.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import console
import glossary
import links
import onnx_nodes
import op_pages
import pass_pages

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
INCLUDE = re.compile(r"^<!-- include (\S+?)(?:#(\S+))? -->$", re.M)


def moved(text, document, page):
    """A text of a document of the repository as it is on a page."""
    return links.move_images(links.move_links(text, document, page), document, page)


def included(text, page):
    """Puts the sections of documents, and whole files of code, in their places."""

    def content(found):
        path, anchor = found.groups()
        file = (ROOT / path).read_text()
        if not path.endswith(".md"):
            return f"```{ {'.cpp': 'cpp', '.c': 'c', '.sh': 'sh'}.get(Path(path).suffix, 'text') }\n{file}```"
        return moved(links.section(file, anchor), path, page)

    return INCLUDE.sub(content, text)


def written_pages():
    """{page: text} of those written by hand and of the documents."""
    pages = {}
    for path in sorted(DOCS.glob("pages/**/*.md")):
        name = path.relative_to(DOCS / "pages").as_posix()
        pages[name] = included(path.read_text(), name)
    for document, name in links.DOCUMENTS.items():
        pages.setdefault(name, moved((ROOT / document).read_text(), document, name))
    return pages


def generated_pages(cnnc, pool):
    """{page: text} of ops and passes."""
    ops = json.loads(pass_pages.output(cnnc, "--list-ops", "--json", "-"))
    passes = json.loads(pass_pages.output(cnnc, "--list-passes", "--json", "-"))
    measured = pass_pages.statistics(cnnc, pool)
    changes = pass_pages.changes_of_lenet(cnnc)
    names = [entry["name"] for entry in passes]
    pages = {"passes/index.md": pass_pages.index(passes), "ops/index.md": op_pages.index(ops)}
    for entry, before, after in zip(passes, [None, *names], [*names[1:], None]):
        pages[f"passes/{entry['name']}.md"] = pass_pages.page(entry, before, after, measured, changes)
    op_names = [op["name"] for op in ops]
    headers = op_pages.headers()
    texts = dict(zip(op_names, pool.map(lambda op: op_pages.page(op, cnnc, headers), ops)))
    known = onnx_nodes.table(cnnc, pool, {name: written for name, (_, written) in texts.items()})
    pages["ops/onnx.md"] = onnx_nodes.page(known, op_names)
    for name, (text, written) in texts.items():
        read = [op for op, ours in known.items() if name in ours]
        pages[f"ops/{name}.md"] = op_pages.with_onnx(text, written, read)
    return pages, op_names, names


def with_outputs(pages, cnnc, pool):
    """Runs the commands of all pages."""
    runs = {name: pool.submit(console.run_commands, name, text, ROOT, cnnc) for name, text in pages.items()}
    times, problems = [], []
    for name, done in runs.items():
        problems += [f"{name}: mark as console, or say why it is not run: {line}" for line in console.unmarked(pages[name])]
        try:
            pages[name], spent = done.result()
            times += [(seconds, name, command) for seconds, command in spent]
        except console.Failure as failure:
            problems.append(str(failure))
    problems += [f"{document} is no page: give it one in docs/links.py" for document in links.left_out()]
    print(f"{len(times)} commands ran, {sum(seconds for seconds, *_ in times):.0f} s of them all; the slowest:")
    for seconds, name, command in sorted(times, reverse=True)[:3]:
        print(f"  {seconds:4.1f} s  {name}: {command}")
    return problems


def write(pages, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS / "images", folder / "images")
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def without_server(site):
    """Debian's furo imports normalize.css from the root of a server, which pages on a disk do not have."""
    style = site / "_static/styles/furo.css"
    style.write_text(re.sub(r"^@import url\(/.*\n", "", style.read_text(), flags=re.M))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cnnc", type=lambda name: Path(name).resolve())
    parser.add_argument("folder", type=lambda name: Path(name).resolve())
    parser.add_argument("--sphinx", default="sphinx-build", help="the command")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        written = written_pages()
        problems = with_outputs(written, options.cnnc, pool)
        generated, ops, passes = generated_pages(options.cnnc, pool)
    pages = {**written, **generated}
    words = glossary.words(ROOT, pages)
    pages["glossary.md"] = glossary.page(words, pages["glossary.md"], ops, passes)
    pages = {name: glossary.with_links(name, text, words, ops, passes) for name, text in pages.items()}
    write(pages, options.folder / "pages")
    site = options.folder / "html"
    shutil.rmtree(site, ignore_errors=True)
    sphinx = subprocess.run([options.sphinx, "-q", "-W", "--keep-going", "-b", "html", "-c", DOCS, "-d",
                             options.folder / "doctrees", options.folder / "pages", site])
    without_server(site)
    problems += ["Sphinx has warnings"] if sphinx.returncode else list(links.broken_links(site))
    for problem in problems:
        print(problem)
    sys.exit(f"{len(problems)} problems" if problems else 0)


if __name__ == "__main__":
    main()
