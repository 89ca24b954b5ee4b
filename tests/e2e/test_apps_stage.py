"""Applications behind API Gateway, whose stage stands in the path: TTF_STACK=aws."""

import sys

import pytest

import apps
import backends
from apps import npm, pip, serve, stage_site, write  # noqa: F401
from programs import ROOT
from test_apps_node import EXPRESS
from test_apps_python import FASTAPI, try_docs

pytestmark = [*apps.marks, pytest.mark.skipif(backends.STACK != "aws", reason="a stage is API Gateway's")]

WAIT = 180  # each request is some calls of DynamoDB


def test_express(start, stage_site, tmp_path):
    npm(tmp_path / "app", "express@5", "express-session@1")
    write(tmp_path / "app", {"app.js": EXPRESS})
    express = stage_site(serve(start, "node", "app.js", "PORT", cwd=tmp_path / "app"))
    express.open()
    express.at("/login", WAIT)
    express.fill(user="alice")
    express.click("#in")
    express.text("Hello alice", WAIT)
    assert express.path() == "/"
    express.click("#out")
    express.at("/login", WAIT)
    express.open("/")
    express.at("/login", WAIT)
    express.clean()


def test_fastapi_docs(start, stage_site, tmp_path):
    write(tmp_path / "app", {"app.py": FASTAPI})
    docs = stage_site(serve(start, pip("fastapi", "uvicorn") / "python", "app.py", "PORT", cwd=tmp_path / "app"))
    try_docs(docs, tmp_path / "ui", WAIT)


def test_the_todo_list(start, stage_site):
    todo = stage_site(serve(start, sys.executable, ROOT / "examples/todo/app.py", "PORT"))
    todo.open()
    todo.wait("document.querySelectorAll('li').length >= 7", WAIT)
    todo.click("footer a")
    todo.at("/docs", WAIT)
    todo.text("/todos", WAIT)
    todo.clean()
