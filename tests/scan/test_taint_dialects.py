"""Request data in JavaScript, TypeScript and Go: what is seen, for which use, and what is let pass."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from bots.models import Scan

Look = Callable[..., Scan]

SCRIPT = {
    "a template in a shell": ("shell", "exec(`ls ${req.query.dir}`)"),
    "a sum in a shell": ("shell", "const cmd = 'ls ' + req.body.dir\nexec(cmd, done)"),
    "a shell by option": ("shell", "spawn('ls', [req.params.dir], { shell: true })"),
    "a joined path": ("path", "const file = path.join(ROOT, req.params.name)\nfs.readFile(file, done)"),
    "a path of parts": ("path", "const { name } = req.query\nres.sendFile('/srv/' + name)"),
    "a part of the request": ("path", "const { query } = req\nfs.createReadStream('/srv/' + query.name)"),
    "a path in a callback": ("path", "const name = req.query.name\nlock(() => fs.unlink('/srv/' + name, done))"),
    "each of many": ("path", "req.body.names.forEach((name) => fs.unlinkSync('/srv/' + name))"),
    "a loop": ("path", "for (const name of req.body.names) {\n  fs.unlinkSync(`/srv/${name}`)\n}"),
    "a helper": ("path", "show(req.query.name)\nfunction show(name) {\n  return fs.readFileSync('/srv/' + name)\n}"),
    "checked in one branch only": (
        "path",
        "const n = req.query.n\nif (strict && !/^\\w+$/.test(n)) return\nfs.readFileSync('/srv/' + n)",
    ),
    "existence was checked": (
        "path",
        "const n = req.query.n\nif (!fs.existsSync('/srv/x')) return\nfs.readFileSync('/srv/' + n)",
    ),
    "markup in a template": ("html", "res.send(`<p>${req.query.q}</p>`)"),
    "markup in a sum": ("html", "const page = '<p>' + req.query.q + '</p>'\nres.end(page)"),
    "sent as it is": ("html", "res.send(req.query.q)"),
    "a redirect": ("redirect", "res.redirect(req.query.next)"),
    "a redirect with a status": ("redirect", "res.redirect(302, req.query.next || '/')"),
    "a header that redirects": ("redirect", "res.writeHead(302, { Location: req.query.next })"),
    "a header by its name": ("redirect", "res.setHeader('Location', req.query.next)"),
    "an address": ("address", "const answer = await fetch(req.query.url)"),
    "the request of a worker": (
        "redirect",
        "const to = new URL(request.url).searchParams.get('to')\nreturn Response.redirect(to)",
    ),
    "SQL in a template": ("sql", "db.all(`SELECT a FROM t WHERE b = '${req.query.b}'`)"),
    "SQL as it comes": ("sql", "db.query(req.body.statement)"),
    "koa": ("path", "const name = ctx.params.name\nctx.body = fs.createReadStream('/srv/' + name)"),
    "code": ("code", "eval(req.body.formula)"),
}
SCRIPT_CLEAN = {
    "a list of words": "execFile('ls', ['--', req.query.dir])",
    "the name alone": "fs.readFile(path.join(ROOT, path.basename(req.params.name)), done)",
    "a pattern": "const n = req.query.n\nif (!/^[a-z]+$/.test(n)) return res.status(400).end()\nfs.readFileSync('/srv/' + n)",
    "still inside": "const f = path.resolve(ROOT, req.query.n)\nif (!f.startsWith(ROOT + path.sep)) throw new Error(f)\nfs.readFileSync(f)",
    "one of the known": "const n = req.query.n\nif (!PAGES.includes(n)) return\nfs.readFileSync('/srv/' + n)",
    "no way up": "const n = req.query.n\nif (n.includes('..')) return\nfs.readFileSync('/srv/' + n)",
    "a number": "fs.readFileSync(`/srv/${Number(req.query.n)}`)",
    "looked up": "fs.readFileSync(PAGES[req.query.n])",
    "below a root": "res.sendFile(req.params.name, { root: ROOT })",
    "escaped": "res.send(`<p>${escapeHtml(req.query.q)}</p>`)",
    "encoded": "res.redirect('/search?q=' + encodeURIComponent(req.query.q))",
    "a page of this site": "res.redirect(`/users/${req.params.id}`)\nres.redirect('/q?' + req.query.q)",
    "a host of ours": "await fetch(`https://api.example/users/${req.params.id}`)",
    "JSON": "res.json({ q: req.query.q })\nres.send({ q: req.query.q })",
    "rendered": "const page = render(req.query.q)\nres.send(page)",
    "a placeholder": "db.all('SELECT a FROM t WHERE b = ?', [req.query.b])",
    "a regular expression": "const found = pattern.exec(req.query.b)",
    "a known host": "const u = new URL(req.query.url)\nif (u.host !== HOST) return\nawait fetch(u)",
    "its own page": "const next = req.query.next\nif (!next.startsWith('/')) return\nres.redirect(next)",
    "the value of a case": "switch (req.query.next) {\n  case '/a':\n    res.redirect(req.query.next)\n}",
    "not elsewhere": "const f = path.join(ROOT, req.query.n)\nif (f.indexOf(ROOT) !== 0) return\nfs.readFileSync(f)",
    "in a switch": "switch (req.query.kind) {\n  case 'a':\n    res.redirect('/a')\n    break\n  default:\n    res.redirect('/')\n}",
    "no request at all": "fs.readFileSync(process.argv[2])",
}
GO = {
    "a shell": ("shell", 'exec.Command("sh", "-c", "ls "+r.FormValue("d")).Run()'),
    "opened": ("path", 'os.ReadFile("/srv/" + r.URL.Path)'),
    "a joined path": ("path", 'f := filepath.Join(root, r.URL.Query().Get("n"))\nos.Remove(f)'),
    "served": ("path", 'http.ServeFile(w, r, filepath.Join(root, r.PathValue("n")))'),
    "formatted": ("path", 'f := fmt.Sprintf("/srv/%s", r.FormValue("n"))\nos.Open(f)'),
    "by mux": ("path", 'vars := mux.Vars(r)\nos.Open("/srv/" + vars["n"])'),
    "decoded": (
        "path",
        'var in input\nif err := json.NewDecoder(r.Body).Decode(&in); err != nil {\n\treturn\n}\nos.Remove("/srv/" + in.Name)',
    ),
    "read and decoded": (
        "path",
        'raw, err := io.ReadAll(r.Body)\nuse(err)\njson.Unmarshal(raw, &in)\nos.Remove("/srv/" + in.Name)',
    ),
    "in a loop": ("path", 'for _, n := range r.Form["n"] {\n\tos.Remove("/srv/" + n)\n}'),
    "in a closure": ("path", 'n := r.FormValue("n")\nfunc() {\n\tos.Remove("/srv/" + n)\n}()'),
    "after a failed check": ("path", 'n := r.FormValue("n")\nif n == "" {\n\treturn\n}\nos.Remove("/srv/" + n)'),
    "markup": ("html", 'fmt.Fprintf(w, "<p>%s</p>", r.FormValue("q"))'),
    "markup in bytes": ("html", 'w.Write([]byte("<p>" + r.FormValue("q") + "</p>"))'),
    "declared safe": ("html", 'x := template.HTML(r.FormValue("q"))\nuse(x)'),
    "a redirect": ("redirect", 'http.Redirect(w, r, r.FormValue("next"), 302)'),
    "an address": ("address", 'resp, err := http.Get(r.FormValue("url"))\nuse(resp, err)'),
    "SQL": ("sql", 'db.Query("SELECT a FROM t WHERE b = \'" + r.FormValue("b") + "\'")'),
}
GO_CLEAN = {
    "words": 'exec.Command("ls", "--", r.FormValue("d")).Run()',
    "the name alone": 'os.Remove(filepath.Join(root, filepath.Base(r.FormValue("n"))))',
    "local": 'n := r.FormValue("n")\nif !filepath.IsLocal(n) {\n\treturn\n}\nos.Remove(filepath.Join(root, n))',
    "still inside": 'f := filepath.Join(root, r.FormValue("n"))\nif !strings.HasPrefix(f, root+"/") {\n\treturn\n}\nos.Remove(f)',
    "a pattern": 'n := r.FormValue("n")\nif !name.MatchString(n) {\n\treturn\n}\nos.Remove("/srv/" + n)',
    "known": 'f, ok := pages[r.FormValue("n")]\nif !ok {\n\treturn\n}\nos.Open(f)',
    "allowed": 'n := r.FormValue("n")\nif !allowed[n] {\n\treturn\n}\nos.Open("/srv/" + n)',
    "no way up": 'n := r.FormValue("n")\nif strings.Contains(n, "..") {\n\treturn\n}\nos.Open("/srv/" + n)',
    "the value of a case": 'switch n := r.FormValue("n"); n {\ncase "a", "b":\n\tos.Remove("/srv/" + n)\n}',
    "a number": 'n, err := strconv.Atoi(r.FormValue("n"))\nuse(err)\nos.Open(fmt.Sprintf("/srv/%d", n))',
    "escaped": 'fmt.Fprintf(w, "<p>%s</p>", html.EscapeString(r.FormValue("q")))',
    "plain text": 'fmt.Fprintf(w, "Hello %s", r.FormValue("q"))',
    "a placeholder": 'db.Query("SELECT a FROM t WHERE b = ?", r.FormValue("b"))',
    "a known host": 'u, err := url.Parse(r.FormValue("next"))\nif err != nil || u.Host != host {\n\treturn\n}\nhttp.Redirect(w, r, u.String(), 302)',
    "its own page": 'n := r.FormValue("n")\nif !strings.HasPrefix(n, "/") {\n\treturn\n}\nhttp.Redirect(w, r, n, 302)',
    "in a handler of its own": "os.Open(flag.Arg(0))",
}  # fmt: skip


def as_script(code: str) -> str:
    """A handler of Express."""
    return f"app.get('/x', async (req, res) => {{\n{textwrap.indent(code, '  ')}\n}})\n"


def as_go(code: str) -> str:
    """A handler of net/http."""
    return f"package p\n\nfunc h(w http.ResponseWriter, r *http.Request) {{\n{textwrap.indent(code, chr(9))}\n}}\n"


@pytest.mark.parametrize("suffix", ["js", "ts", "tsx"])
def test_sees_in_scripts(look: Look, suffix: str) -> None:
    """Request data that is used unchecked in a script is seen, with its use, whatever way it takes."""
    files = {f"{number}.{suffix}": as_script(code) for number, (_, code) in enumerate(SCRIPT.values())}
    scan = look(files, engines="taint")
    found = {item.path: item.rule for item in scan.findings if item.rule.endswith("-from-request")}
    wanted = {f"{number}.{suffix}": f"{use}-from-request" for number, (use, _) in enumerate(SCRIPT.values())}
    assert found == wanted


def test_lets_pass_in_scripts(look: Look) -> None:
    """What was checked, escaped, or never came from a request is no finding in a script."""
    files = {f"{name}.ts": as_script(code) for name, code in SCRIPT_CLEAN.items()}
    assert [(item.path, item.rule) for item in look(files, engines="taint").findings if item.path] == []


def test_sees_in_go(look: Look) -> None:
    """Request data that is used unchecked in Go is seen, with its use, whatever way it takes."""
    files = {f"{name}.go": as_go(code) for name, (_, code) in GO.items()}
    scan = look(files, engines="taint")
    found = {item.path: item.rule for item in scan.findings if item.rule.endswith("-from-request")}
    assert found == {f"{name}.go": f"{use}-from-request" for name, (use, _) in GO.items()}


def test_lets_pass_in_go(look: Look) -> None:
    """What was checked, escaped, or never came from a request is no finding in Go."""
    files = {f"{name}.go": as_go(code) for name, code in GO_CLEAN.items()}
    assert [(item.path, item.rule) for item in look(files, engines="taint").findings if item.path] == []


def test_a_decorated_parameter_is_filled_by_a_request(look: Look) -> None:
    """A parameter that a decorator of Nest fills is request data, and another one is not."""
    code = """\
@Controller('files')
export class Files {
  @Get(':name')
  show(@Param('name') name: string, lang: string) {
    read(`/srv/${lang}`)
    return fs.readFileSync('/srv/' + name)
  }
}
"""
    found = [(item.line, item.rule) for item in look({"a.ts": code}, engines="taint").findings]
    assert found == [(6, "path-from-request")]


def test_broken_code_does_not_hide_the_rest(look: Look) -> None:
    """A line that does not parse switches the follower off for nothing but itself."""
    code = as_script("const x = = 1\nres.redirect(req.query.next)")
    found = [(item.line, item.rule) for item in look({"a.js": code}, engines="taint").findings]
    assert found == [(3, "redirect-from-request")]
