"""Applications of Node, unchanged, under a prefix."""

import base64
import subprocess
from urllib.request import urlopen

import pytest

import apps
from apps import npm, serve, site, write  # noqa: F401

pytestmark = apps.marks

# ---- Express: sessions, redirects ----

EXPRESS = """
const express = require('express'), session = require('express-session'), app = express()
app.use(express.urlencoded({ extended: true }), session({ secret: 'x', resave: false, saveUninitialized: false }))
const page = (title, body) => `<!doctype html><html><head><title>${title}</title><link rel=icon href="data:,"></head><body>${body}</body></html>`
app.get('/', (q, r) => q.session.user
  ? r.send(page('home', `<p>Hello ${q.session.user}</p><form method=post action=/logout><button id=out>out</button></form>`))
  : r.redirect('/login?next=/'))
app.get('/login', (q, r) => r.send(page('login', '<form method=post><input name=user><button id=in>in</button></form>')))
app.post('/login', (q, r) => { q.session.user = q.body.user; r.redirect(q.query.next) })
app.post('/logout', (q, r) => q.session.destroy(() => r.redirect(`${q.protocol}://${q.get('host')}/login`)))
app.get('/script', (q, r) => r.send(page('script', `<script>location.href = '/login'</script>`)))
app.get('/static', (q, r) => r.send(page('static', '<a href="/login">in</a>')))
app.listen(process.argv[2], '127.0.0.1')
"""


def test_express(start, site, tmp_path):
    npm(tmp_path / "app", "express@5", "express-session@1")
    write(tmp_path / "app", {"app.js": EXPRESS})
    express = site(serve(start, "node", "app.js", "PORT", cwd=tmp_path / "app"))
    express.open()
    express.at("/login")
    express.fill(user="alice")
    express.click("#in")
    express.text("Hello alice")
    assert express.path() == "/"
    express.click("#out")
    express.at("/login")
    express.open("/")
    express.at("/login")
    express.clean()
    express.open("/script")  # no script of ours can know of that one: the gateway sends the page on
    express.at("/login")
    express.clean(strays=["/login"])
    express.same("/static", "/login")


# ---- socket.io ----

CHAT = """
const express = require('express'), app = express(), server = require('http').createServer(app)
const io = new (require('socket.io').Server)(server)
io.on('connection', s => s.on('say', text => io.emit('said', text)))
app.get('/', (q, r) => r.send(`<!doctype html><link rel=icon href="data:,"><body><ul></ul><script src="/socket.io/socket.io.js"></script>
<script>const s = io(); s.on('said', t => document.querySelector('ul').innerHTML += '<li>' + t + '</li>')
s.on('connect', () => s.emit('say', 'hello')); s.io.engine.on('upgrade', t => { window.way = t.name; s.emit('say', 'again') })</script>`))
server.listen(process.argv[2], '127.0.0.1')
"""


def test_socket_io(start, site, tmp_path):
    npm(tmp_path / "app", "express@5", "socket.io@4")
    write(tmp_path / "app", {"app.js": CHAT})
    chat = site(serve(start, "node", "app.js", "PORT", cwd=tmp_path / "app"))
    chat.open()
    chat.wait("window.way === 'websocket' && document.querySelectorAll('li').length >= 2")
    chat.clean()
    chat.same("/", "/socket.io/socket.io.js")


# ---- Vite and React ----

VITE = {
    "vite.config.js": "import react from '@vitejs/plugin-react'\nexport default { plugins: [react()] }",
    "index.html": '<!doctype html><html><head><link rel="icon" href="/icon.svg"><title>app</title></head><body><div id="root"></div>'
    '<script type="module" src="/src/main.jsx"></script></body></html>',
    "public/icon.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "src/look.css": "h1 { color: rgb(1, 2, 3); background: url(./picture.svg) }",
    "src/picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>' + "<!-- -->" * 1000,
    "src/title.jsx": "export const Title = () => <h1>one</h1>",
    "src/deep.jsx": "export default () => <p>deep</p>",
    "src/main.jsx": """
import './look.css'
import { createRoot } from 'react-dom/client'
import { lazy, Suspense } from 'react'
import { BrowserRouter, Link, Route, Routes } from 'react-router-dom'
import { Title } from './title.jsx'
const Deep = lazy(() => import('./deep.jsx'))
createRoot(document.querySelector('#root')).render(
  <BrowserRouter>BASE<Title /><Link id="go" to="/deep/page?x=1">go</Link><Link id="home" to="/">home</Link>
    <Suspense><Routes><Route path="/" element={<p>at the root</p>} /><Route path="/deep/:name" element={<Deep />} /></Routes></Suspense>
  </BrowserRouter>)
""",
}
VITE_PACKAGES = ["vite@8", "@vitejs/plugin-react", "react@19", "react-dom@19", "react-router-dom@7"]


def walk(app, strays=()):
    """Links, reload, back, a deep link."""
    app.open()
    app.text("one")
    app.text("at the root")
    assert app.wait("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
    app.clean(strays=strays)
    app.click("#go")
    app.text("deep")
    assert app.path() == "/deep/page"
    app.page.command("Page.reload")
    app.text("deep")
    app.page.evaluate("history.back()")
    app.at("/")
    app.text("at the root")
    app.clean(strays=strays)
    app.open("/deep/other")
    app.text("deep")
    app.click("#home")
    app.text("at the root")
    app.at("/")
    app.clean(strays=strays)


def vite_project(tmp_path):
    folder = tmp_path / "app"
    npm(folder, *VITE_PACKAGES)
    write(folder, {name: text.replace("BASE", "") for name, text in VITE.items()})
    return folder


def test_vite_and_react_in_development(start, site, tmp_path):
    folder = vite_project(tmp_path)
    port = serve(start, "node", "node_modules/vite/bin/vite.js", "--port", "PORT", "--strictPort", "--host", "127.0.0.1", cwd=folder)
    app = site(port)
    walk(app, strays=["/src/picture.svg"])  # in a style sheet that a script has made: the gateway finds its tunnel
    app.page.evaluate("window.still = true")
    (folder / "src/title.jsx").write_text("export const Title = () => <h1>two</h1>")
    app.text("two")
    assert app.page.evaluate("window.still")
    app.same("/", "/src/main.jsx", "/@vite/client")


def test_vite_and_react_in_production(start, site, tmp_path):
    folder = vite_project(tmp_path)
    apps._run("node", "node_modules/vite/bin/vite.js", "build", cwd=folder)
    app = site(serve(start, "node", "node_modules/vite/bin/vite.js", "preview", "--port", "PORT", "--strictPort", "--host", "127.0.0.1", cwd=folder))
    walk(app)
    app.same("/", *("/assets/" + file.name for file in (folder / "dist/assets").iterdir()))


# ---- webpack's dev server ----


def test_webpack_dev_server(start, site, tmp_path):
    """Its client connects to the port that the server itself listens on, at the page's host."""
    folder = tmp_path / "app"
    npm(folder, "webpack@5", "webpack-cli@6", "webpack-dev-server@5", "html-webpack-plugin@5")
    write(folder, {
        "src/index.js": "import { title } from './title.js'\nconst show = t => { document.body.innerText = t }\nshow(title)\n"
        "if (module.hot) module.hot.accept('./title.js', () => show(require('./title.js').title))",
        "src/title.js": "export const title = 'one'",
        "webpack.config.js": "const Html = require('html-webpack-plugin')\n"
        "module.exports = { mode: 'development', plugins: [new Html({ favicon: false })], output: { publicPath: '/' },"
        " devServer: { host: '127.0.0.1', hot: true, client: { logging: 'warn' } } }",
    })  # fmt: skip
    port = serve(start, "node", "node_modules/webpack-cli/bin/cli.js", "serve", "--port", "PORT", cwd=folder)
    app = site(port)
    app.open()
    app.text("one")
    app.page.evaluate("window.still = true")
    (folder / "src/title.js").write_text("export const title = 'two'")
    app.text("two")
    assert app.page.evaluate("window.still")
    app.clean()
    app.same("/", "/main.js")


# ---- Next.js ----

NEXT = {
    "app/layout.js": "export default function L({ children }) { return <html><body>{children}</body></html> }",
    "app/look.js": """'use client'
import { usePathname, useRouter } from 'next/navigation'
import { useState } from 'react'
export default function Look() {
  const [count, set] = useState(0), router = useRouter()
  return <div><p>at {usePathname()}</p><button id="count" onClick={() => set(count + 1)}>{'count ' + count}</button>
    <button id="push" onClick={() => router.push('/deep/pushed')}>push</button></div>
}""",
    "app/page.js": """import Link from 'next/link'
import Image from 'next/image'
import Look from './look.js'
export default function P() { return <main><h1>home</h1><Look /><Link id="go" href="/deep/page">go</Link>
  <Image src="/picture.png" alt="" width={8} height={8} /></main> }""",
    "app/deep/[name]/page.js": """import Link from 'next/link'
import Look from '../../look.js'
export default async function D({ params }) { return <main><h1>deep {(await params).name}</h1><Look /><Link id="home" href="/">home</Link></main> }""",
    "app/api/time/route.js": "export const GET = () => Response.json({ time: 1 })",
}
NEXT_PACKAGES = ["next@16", "react@19", "react-dom@19"]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGP8z4APMOGVHbHSAEEsAROxCnMTAAAAAElFTkSuQmCC"


def next_project(folder):
    npm(folder, *NEXT_PACKAGES)
    write(folder, NEXT)
    (folder / "public").mkdir()
    (folder / "public/picture.png").write_bytes(base64.b64decode(PICTURE))
    return "node_modules/next/dist/bin/next"


ALIVE = "Object.keys(document.querySelector('#count')).some(key => key.startsWith('__reactProps'))"


def walk_next(app):
    app.open()
    app.text("at /\n", 120)
    app.wait(ALIVE)
    app.click("#go")
    app.text("deep page", 120)
    app.text("at /deep/page")
    assert app.path() == "/deep/page"
    app.page.command("Page.reload")
    app.text("at /deep/page", 120)
    app.wait(ALIVE)
    app.click("#push")
    app.text("deep pushed", 120)
    app.page.evaluate("history.back()")
    app.text("deep page")
    app.click("#home")
    app.text("at /\n")
    assert app.ask("/api/time").json() == {"time": 1}


@pytest.mark.heavy
def test_next_in_development(start, site, tmp_path):
    folder = tmp_path / "app"
    program = next_project(folder)
    port = serve(start, "node", program, "dev", "-p", "PORT", "-H", "localhost", cwd=folder, env={"NEXT_TELEMETRY_DISABLED": "1"})
    for path in ("/", "/deep/page"):  # it compiles a page when it is asked for it, which a tunnel would not wait for on a slow machine
        urlopen(f"http://localhost:{port}{path}", timeout=300).close()
    app = site(port)
    walk_next(app)
    app.clean(strays=["/__nextjs_font/"])  # in a style sheet of its tools that a script has made
    app.same("/picture.png", "/api/time")


@pytest.mark.heavy
def test_next_in_production(start, site, tmp_path):
    folder = tmp_path / "app"
    program = next_project(folder)
    apps._run("node", program, "build", cwd=folder)
    app = site(serve(start, "node", program, "start", "-p", "PORT", "-H", "localhost", cwd=folder, env={"NEXT_TELEMETRY_DISABLED": "1"}))
    walk_next(app)
    app.clean()
    app.same("/", "/deep/page", "/picture.png")


# ---- tus: uploads whose next URL is in Location ----

TUS = """
const { Server } = require('@tus/server'), { FileStore } = require('@tus/file-store')
const server = new Server({ path: '/files', datastore: new FileStore({ directory: './files' }), relativeLocation: process.argv[3] === 'relative' })
server.listen({ host: '127.0.0.1', port: process.argv[2] })
"""
UPLOAD = """
const tus = require('tus-js-client'), data = Buffer.alloc(5000000, 'x')
const upload = new tus.Upload(data, { endpoint: process.argv[2] + '/files', chunkSize: 1000000, retryDelays: null,
  onError: e => { console.error(e); process.exit(1) }, onSuccess: () => console.log(upload.url) })
upload.start()
"""


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_tus(start, site, tmp_path, kind):
    folder = tmp_path / "app"
    npm(folder, "@tus/server@2", "@tus/file-store@2", "tus-js-client@4")
    write(folder, {"app.js": TUS, "upload.js": UPLOAD})
    app = site(serve(start, "node", "app.js", "PORT", kind, cwd=folder))
    done = subprocess.run(["node", "upload.js", app.url], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(app.url + "/files/"), done.stdout
    kept = [file for file in (folder / "files").iterdir() if file.suffix != ".json"]
    assert [file.read_bytes() for file in kept] == [b"x" * 5000000]  # not asked for: the server may end when a visitor of a file goes


# ---- verdaccio: npm's registry; tarballs' URLs stand in JSON ----

VERDACCIO = """
storage: ./storage
auth: { htpasswd: { file: ./htpasswd } }
packages: { '**': { access: $all, publish: $all, unpublish: $all } }
web: { enable: true }
log: { type: stdout, level: warn }
"""


def test_verdaccio(start, site, tmp_path):
    folder = tmp_path / "app"
    npm(folder, "verdaccio@6", overrides={"node-fetch": "2.7.0"})  # it names a version that mirrors of the registry do not have
    write(folder, {"config.yaml": VERDACCIO})
    registry = site(serve(start, "node", "node_modules/verdaccio/bin/verdaccio", "-c", "config.yaml", "-l", "127.0.0.1:{port}", cwd=folder))
    tools = {
        "one/package.json": '{"name": "ttf-one", "version": "1.0.0"}', "one/index.js": "module.exports = 'one'",
        "two/package.json": '{"name": "@ttf/two", "version": "1.0.0", "dependencies": {"ttf-one": "^1.0.0"}}',
        "two/index.js": "module.exports = 'two of ' + require('ttf-one')",
        "user/package.json": '{"private": true}', "user/.npmrc": f"registry={registry.url}/",
    }  # fmt: skip
    write(tmp_path, tools)
    rights = ["--registry", registry.url + "/", f"--//{registry.origin}{registry.prefix}/:_authToken=none", "--cache", tmp_path / "cache"]
    for name in ("one", "two"):
        apps._run("npm", "publish", *rights, cwd=tmp_path / name)
    tarball = registry.ask("/ttf-one").json()["versions"]["1.0.0"]["dist"]["tarball"]
    assert tarball.startswith(registry.url + "/ttf-one/-/"), tarball
    apps._run("npm", "install", "--no-audit", "--no-fund", *rights, "@ttf/two", cwd=tmp_path / "user")
    assert apps._run("node", "-p", "require('@ttf/two')", cwd=tmp_path / "user") == "two of one\n"
    registry.open()
    registry.text("@ttf/two")
    registry.click("a[href$='/-/web/detail/@ttf/two']")
    registry.text("npm install @ttf/two@1.0.0")  # the list of packages is gone
    registry.wait("!document.body.innerText.includes('ttf-one')")
    registry.click("[data-testid=dependencies-tab]")
    registry.text("ttf-one")
    assert registry.path() == "/-/web/detail/@ttf/two"
    registry.clean()
    registry.same("/", "/@ttf%2ftwo", "/ttf-one/-/ttf-one-1.0.0.tgz")
