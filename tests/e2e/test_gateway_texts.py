"""What is made of the table of the gateway's settings: help, completions, the man page. They say the same, and so do ttf-apigw's."""

import re
import shutil
import subprocess

import pytest

from programs import BIN

PROGRAMS = ("ttf-gateway", "ttf-apigw")
pytestmark = pytest.mark.parametrize("name", PROGRAMS)


def said(name, *words):
    return subprocess.run([BIN / name, *words], capture_output=True, text=True, timeout=90)


def printed(name, what):
    done = said(name, "print", what)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


def flags_of(name):
    flags = set(re.findall(r"^  (?:-\w, |    )--([a-z-]+)", said(name, "--help", "all").stdout, re.M))
    assert {"public-listen", "log-level", "config", "help"} <= flags
    assert ("bootstrap" in flags) == (name == "ttf-apigw")
    return flags


@pytest.mark.parametrize("topic", ["usual", "all"])
def test_the_help_is_whole(name, topic):
    """Nothing is cut off, nothing is there for Markdown alone, and no line is longer than it may be."""
    text = said(name, "--help", topic).stdout
    assert "](" not in text and all(len(line) <= 100 for line in text.splitlines() if " " in line.strip())  # but for a word that is longer
    usage = text.split("\n\n")[1]
    assert ("admin COMMAND [--json] [flags]" in usage) == (name == "ttf-gateway") and "bash|zsh|fish|man\n" in usage


FLAG = r"^  (?:-\w, |    )(?:--)?([a-z-]+) "


def test_help_comes_in_groups(name):
    """The first screen tells what is needed most, and which groups there are: together they are all that there is."""
    for words in (["-h"], ["--help"], ["--help", "--log-level=info"]):
        first = said(name, *words)
        assert first.returncode == 0 and len(first.stdout.splitlines()) < 70 and first.stdout == said(name, "--help").stdout
    topics = re.findall(r"^  ([a-z]+)  ", first.stdout.split("--help GROUP\n")[1], re.M)
    assert topics[-1] == "all" and {"ports", "agents", "operation"} < set(topics)
    groups = [said(name, f"--help={topic}").stdout for topic in topics[:-1]]
    assert all(text.startswith("\n") and text[1:].lower().startswith(topic) for text, topic in zip(groups, topics)), groups
    everything = said(name, "--help", "all").stdout
    assert everything.endswith("".join(groups))
    usual = re.findall(FLAG, first.stdout.split("needed most:\n")[1].split("\n\n")[0], re.M)
    assert {"public-listen", "domain", "help"} < set(usual) < set(re.findall(FLAG, everything, re.M))
    assert topics == re.search(r"^ +--help\) words='([^']+)'", printed(name, "bash"), re.M)[1].split()


def test_a_group_that_there_is_not(name):
    done = said(name, "--help", "nonsense")
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(rf"{name}: --help nonsense: there is no such group, only ports, .*, operation, all\n", done.stderr)


def test_every_text_knows_every_flag(name):
    flags = flags_of(name)
    bash = printed(name, "bash")
    assert set(re.search(r"words='(--[^']*)'", bash)[1].replace("--", "").split()) == flags
    assert set(re.findall(r"--([a-z-]+)\[", printed(name, "zsh"))) | {"help", "version"} == flags
    assert set(re.findall(r" -l ([a-z-]+)", printed(name, "fish"))) == flags
    man = printed(name, "man").replace("\\-", "-")
    assert set(re.findall(r"^(?:\\fB-\w\\fR, )?\\fB--([a-z-]+)\\fR", man, re.M)) == flags
    secrets = set(re.findall(r"^\.TP\n\\fB([a-z-]+):\\fR", man, re.M))
    assert secrets == {"jwt-secret", "jwt-older-secret", "tunnel-secret"} | ({"admin-token"} if name == "ttf-gateway" else set()) and not secrets & flags


def test_the_man_page_says_what_the_document_says(name):
    man = printed(name, "man").replace("\\-", "-")
    rows = re.findall(r"^\| `(?:--)?([a-z-]+)` \| (?:`([A-Z_0-9]+)`)? \| \w* \| (?:`(.*?)`)? \|", said(name, "--help-markdown").stdout, re.M)
    assert len(rows) > 40
    for setting, variable, fallback in rows:
        part = re.search(rf"^\.TP\n(?:\\fB-\w\\fR, )?\\fB(?:--)?{setting}:?\\fR .*?(?=\n\.|\Z)", man, re.S | re.M)
        assert part, setting
        if variable:
            assert f"[\\fB{variable}\\fR{', ' + fallback if fallback else ''}]" in part[0].replace(r"\:", ""), part[0]


def test_every_text_knows_every_command(name):
    commands = set(re.findall(rf"^       {name} ([a-z]+) ", said(name, "--help").stdout, re.M))
    assert commands == ({"token", "admin", "print"} if name == "ttf-gateway" else {"print"})
    assert set(re.search(r"words='([a-z ]+)'", printed(name, "bash"))[1].split()) == commands
    assert set(re.findall(r"use_subcommand -a (\w+)", printed(name, "fish"))) == commands
    assert all(f'{command}\\:"' in printed(name, "zsh") for command in commands)
    assert all(f".TP\n\\fB{command}\\fR\n" in printed(name, "man") for command in commands)


def test_bash_completes(name):
    script = printed(name, "bash") + (
        f'\ntry() {{ COMP_WORDS=({name} "$@"); COMP_CWORD=$#; _{name} || true; echo "${{COMPREPLY[*]}}"; }}\n'
        "try --log; try pri; try --log-level wa; try --domain x; try --config /etc/host; try --request-ids --health; try print f\n"
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert not done.stderr, done.stderr
    log, command, level, domain, files, flag, text = done.stdout.splitlines()
    assert log == "--log-level" and command == "print" and level == "warn" and not domain
    assert "/etc/hosts" in files and flag == "--health" and text == "fish"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_it(name, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    done = subprocess.run([shell, "-n"], input=printed(name, shell), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_fish_completes(name):
    if not shutil.which("fish"):
        pytest.skip("no fish")
    script = printed(name, "fish") + f"\ncomplete -C '{name} --log-level '\ncomplete -C '{name} --log-l'\n"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True)
    assert {"error", "warn", "info", "debug"} <= {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert "--log-level" in done.stdout and not done.stderr, done


def test_the_man_page_is_whole(name):
    text = printed(name, "man")
    assert text.startswith(f".TH {name.upper().replace('-', chr(92) + '-')} 8 ") and "`" not in text and "](" not in text
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-k", "-man", "-ww", "-rLL=78n", "-Tutf8", "-z"], input=text, capture_output=True, text=True)
        assert not done.stderr, done.stderr


def test_the_version_names_commit_and_libraries(name):
    first, tls, others = said(name, "--version").stdout.splitlines()
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+( \([0-9a-f]{{7,}}\))?", first)
    assert re.match(r"OpenSSL \d", tls)
    assert [word.split(" ")[0] for word in others.split(", ")] == [
        "libuv", "nghttp2", "libwebsockets", "libmicrohttpd", "jansson", "libyaml", "hiredis", "libcurl", "c-ares", "zlib", "brotli", "zstd", "libseccomp"]  # fmt: skip
    assert all(re.fullmatch(r"\S+ v?\d+\.\d+\S*", word) for word in others.split(", "))


def test_a_text_that_there_is_not(name):
    for words in (["csh"], [], ["man", "man"]):
        done = said(name, "print", *words)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{name} print wants one of bash, zsh, fish, man\n")
