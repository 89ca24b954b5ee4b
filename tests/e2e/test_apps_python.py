"""Applications of Python, unchanged, under a prefix."""

import time

import pytest

import apps
from apps import npm, pip, serve, site, write  # noqa: F401
from programs import SLOW

pytestmark = apps.marks

# ---- Django's administration: a login with a token against forgery, an edit, a logout ----

DJANGO = """import os, sys
from django.conf import settings
from django.urls import path
settings.configure(
    DEBUG=True, ALLOWED_HOSTS=[".localhost"], SECRET_KEY="x" * 50, ROOT_URLCONF=__name__, STATIC_URL="/static/", USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib." + name for name in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}])
import django
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
urlpatterns = [path("admin/", admin.site.urls)]
call_command("migrate", verbosity=0)
User.objects.create_superuser("root", "", "secret")
call_command("runserver", sys.argv[1], use_reloader=False)
"""


def test_django_admin(start, site, tmp_path):
    programs = pip("django")
    write(tmp_path / "app", {"app.py": DJANGO})
    admin = site(serve(start, programs / "python", "app.py", "PORT", cwd=tmp_path / "app"))
    admin.open("/admin/")
    admin.at("/admin/login/")
    admin.fill(username="root", password="secret")
    admin.click("input[type=submit]")
    admin.text("Site administration")
    assert admin.path() == "/admin/"
    admin.open("/admin/auth/user/add/")
    admin.fill(username="alice", password1="8sdf7k3hq", password2="8sdf7k3hq")
    admin.click("[name=_continue]")
    admin.text("was added successfully")
    admin.fill(first_name="Alice")
    admin.click("[name=_save]")
    admin.text("was changed successfully")
    assert admin.path() == "/admin/auth/user/"
    admin.text("Alice")
    admin.click("#logout-form button")
    admin.text("Logged out")
    admin.clean()
    admin.same("/admin/login/", "/static/admin/css/base.css", "/static/admin/js/theme.js", random=rb'csrfmiddlewaretoken" value="\w+"')


# ---- FastAPI's documents ----

FASTAPI = """import fastapi, sys, uvicorn
app = fastapi.FastAPI()
@app.get("/items/{number}")
def item(number: int): return {"number": number}
uvicorn.run(app, port=int(sys.argv[1]))
"""


def try_docs(docs, folder, seconds=60):
    """What its page loads from a host of its own comes from npm."""
    npm(folder, "swagger-ui-dist@5")
    assert "/items/{number}" in docs.ask("/openapi.json").json()["paths"]
    assert docs.ask("/items/5").json() == {"number": 5}
    docs.page.stand_in("https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/", folder / "node_modules/swagger-ui-dist")
    docs.page.stand_in("https://fastapi.tiangolo.com/img/favicon.png", folder / "node_modules/swagger-ui-dist/favicon-32x32.png")
    docs.open("/docs")
    docs.text("/items/{number}", seconds)
    docs.click(".opblock-summary-control")
    docs.click(".try-out__btn")
    docs.wait("!!document.querySelector('.parameters input')")
    docs.page.evaluate("document.querySelector('.parameters input').focus()")
    docs.page.command("Input.insertText", text="7")
    docs.wait("document.querySelector('.execute').click() || !!document.querySelector('.live-responses-table')", seconds)  # once it has read the input
    docs.wait("(document.querySelector('.live-responses-table .microlight') || {innerText: ''}).innerText.includes('\"number\": 7')", seconds)
    docs.clean()


def test_fastapi_docs(start, site, tmp_path):
    write(tmp_path / "app", {"app.py": FASTAPI})
    docs = site(serve(start, pip("fastapi", "uvicorn") / "python", "app.py", "PORT", cwd=tmp_path / "app"))
    try_docs(docs, tmp_path / "ui")
    docs.same("/docs", "/redoc", "/openapi.json", "/items/5")


# ---- heavy ones ----


def wait_kernel(lab, seconds=60):
    """At times JupyterLab starts a second kernel and ends the first, with whatever that was told meanwhile."""
    end, sessions = time.monotonic() + seconds * SLOW, None
    while not sessions or [(one["kernel"]["connections"], one["kernel"]["execution_state"]) for one in sessions] != [(1, "idle")]:
        assert time.monotonic() < end, sessions
        time.sleep(0.05)
        sessions = lab.ask("/api/sessions").json()


@pytest.mark.heavy
def test_jupyterlab(start, site, tmp_path):
    home = tmp_path / "home"
    write(home, {"a.txt": "x"})
    programs = pip("jupyterlab")
    port = serve(
        start, programs / "jupyter-lab", "--no-browser", "--allow-root", "--port", "PORT", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", cwd=home, env={"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "run")},
    )  # fmt: skip
    lab = site(port)
    lab.open("/lab?reset")
    lab.wait("!!(window.jupyterapp && jupyterapp.restored.then(() => { window.isRestored = true }))", 120)
    lab.wait("window.isRestored && !!document.querySelector('.jp-LauncherCard[data-category=Notebook]')", 60)
    lab.click(".jp-LauncherCard[data-category=Notebook]")
    lab.wait("!!document.querySelector('.jp-NotebookPanel .cm-content')", 60)
    wait_kernel(lab)
    lab.wait("!!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')", 60)
    lab.page.evaluate("document.querySelector('.jp-NotebookPanel .cm-content').focus()")
    lab.page.command("Input.insertText", text="print(6 * 7000)")
    for kind in ("rawKeyDown", "keyUp"):
        lab.page.command("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, modifiers=8)  # and shift
    lab.wait("[...document.querySelectorAll('.jp-OutputArea-output')].some(e => e.innerText.includes('42000'))", 60)
    lab.clean(["to activate", "is closed before the connection"])  # of its own, on a slow machine


STREAMLIT = """import streamlit as st
name = st.text_input("name", "nobody")
st.write("Hello " + name)
if st.button("more"): st.write("pressed")
"""


@pytest.mark.heavy
def test_streamlit(start, site, tmp_path):
    write(tmp_path / "app", {"app.py": STREAMLIT})
    port = serve(
        start, pip("streamlit") / "streamlit", "run", "app.py", "--server.port", "PORT", "--server.headless", "true",
        "--browser.gatherUsageStats", "false", cwd=tmp_path / "app", env={"HOME": str(tmp_path)},
    )  # fmt: skip
    app = site(port)
    app.open()
    app.text("Hello nobody", 120)
    app.wait("[...document.querySelectorAll('button')].some(b => b.innerText.trim() === 'more')")
    app.page.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'more').click()")
    app.text("pressed")
    app.clean()
    app.same("/", "/_stcore/health", "/favicon.png")


GRADIO = """import gradio, sys
with gradio.Blocks() as page:
    name = gradio.Textbox(label="name", value="nobody")
    said = gradio.Textbox(label="said")
    gradio.Button("greet").click(lambda name: "Hello " + name, name, said)
page.launch(server_port=int(sys.argv[1]), quiet=True)
"""


@pytest.mark.heavy
def test_gradio(start, site, tmp_path):
    write(tmp_path / "app", {"app.py": GRADIO})
    port = serve(
        start, pip("gradio") / "python", "app.py", "PORT", cwd=tmp_path / "app", env={"HOME": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"}
    )
    app = site(port)
    app.open()
    app.wait("[...document.querySelectorAll('button')].some(b => b.innerText === 'greet')", 120)
    app.page.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText === 'greet').click()")
    app.wait("[...document.querySelectorAll('textarea, input')].some(e => e.value === 'Hello nobody')")
    app.clean()
    app.same("/config", "/theme.css")
