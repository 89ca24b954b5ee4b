"""What is made of the table of ttf's settings: help, completions, man pages, the schema of ttf.yaml. They say the same."""

import json
import re
import shutil
import subprocess

import pytest

from programs import BIN


def ttf(*words):
    return subprocess.run([BIN / "ttf", *words], capture_output=True, text=True, timeout=90)


def printed(what):
    done = ttf("print", what)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


@pytest.fixture(scope="module")
def help_text():
    return ttf("--help", "all").stdout


def options_of(help_text):
    return set(re.findall(r"^  (?:-\w, |    )--([a-z-]+)", help_text, re.M))


def commands_of(help_text):
    return set(re.findall(r"^  ([a-z]+) ", help_text.split("Commands:")[1].split("\n\n")[0], re.M))


def test_every_text_knows_every_option(help_text):
    options = options_of(help_text)
    assert {"endpoint", "proxy", "config", "help"} <= options
    assert set(re.findall(r"--([a-z-]+)", printed("bash"))) - {""} == options
    assert set(re.findall(r"--([a-z-]+)[\[}]", printed("zsh"))) == options
    assert set(re.findall(r" -l ([a-z-]+)", printed("fish"))) == options
    assert set(re.findall(r"\\fB\\-\\-([a-z\\-]+)\\fR", printed("man").replace("\\-\\-", "\\-\\-"))) == {
        option.replace("-", "\\-") for option in options
    }


def test_help_comes_in_groups(help_text):
    """The first screen tells what is needed most, and which groups there are: together they are all that there is."""
    first = ttf("--help").stdout
    assert len(first.splitlines()) < 65 and first == ttf("-h").stdout == ttf("3000", "--help").stdout == ttf("--help", "3000").stdout
    topics = re.findall(r"^  ([a-z]+)  ", first.split("--help GROUP\n")[1], re.M)
    assert topics == ["local", "gateway", "url", "visitors", "inspector", "program", "all"]
    groups = [ttf("--help", topic).stdout for topic in topics[:-1]]
    assert groups == [ttf(f"--help={topic}").stdout for topic in topics[:-1]] and ttf("-h", "all").stdout == help_text
    assert all(text[1:].lower().startswith(topic) for text, topic in zip(groups, topics)), groups
    assert "".join(groups) in help_text and options_of("".join(groups)) == options_of(help_text)
    usual = options_of(first)
    assert {"endpoint", "name", "open", "help"} < usual < options_of(help_text)
    assert max(map(len, (first + help_text).splitlines())) <= 100


def test_every_text_knows_every_command(help_text):
    commands = commands_of(help_text)
    assert {"start", "login", "doctor", "print"} <= commands
    assert set(re.search(r"words='([a-z ]+)'", printed("bash"))[1].split()) == commands
    assert set(re.findall(r"-a (\w+)", printed("fish"))) == commands
    assert set(re.findall(r"^\.TP\n\\fB([a-z]+)\\fR", printed("man"), re.M)) == commands
    assert all(f'{command}\\:"' in printed("zsh") for command in commands)


def test_bash_takes_it():
    if not shutil.which("bash"):
        pytest.skip("no bash")
    script = printed("bash") + (
        '\ntry() { COMP_WORDS=(ttf "$@"); COMP_CWORD=$#; _ttf; echo "${COMPREPLY[*]}"; }\n'
        "try --tok; try st; try -e ''; try 3000 --hel; try --ca-file /etc/host; set +e; try /et; cd /; try ./et\n"
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert not done.stderr, done.stderr
    tokens, start, nothing, helps, files, folder, relative = done.stdout.splitlines()
    assert (folder, relative) == ("/etc", "./etc")
    assert tokens.split() == ["--token", "--token-file", "--token-command"] and start == "start" and not nothing and helps == "--help"
    assert "/etc/hosts" in files


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_it(shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    assert subprocess.run([shell, "-n"], input=printed(shell), text=True).returncode == 0


def test_zsh_offers_commands_and_folders():
    """What its functions are told, by stand-ins of them."""
    if not shutil.which("zsh"):
        pytest.skip("no zsh")
    script = "_alternative() { print -rl -- $@ }; _arguments() { print -rl -- $@ }\n" + printed("zsh") + "\n_ttf_first"
    done = subprocess.run(["zsh", "-fc", script], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert "1:command, service or folder:_ttf_first" in lines and lines[-1] == "folders:folder:_files -/"
    assert lines[-2].startswith("commands:command:((start\\:") and "store a gateway's URL" in lines[-2]


@pytest.mark.parametrize("page", ["man", "man-yaml"])
def test_man_pages_are_whole(page):
    text = printed(page)
    assert text.startswith(".TH TTF") and ".SH NAME\n" in text
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-rLL=78n", "-Tutf8", "-z"], input=text, capture_output=True, text=True)
        assert not done.stderr, done.stderr


def test_the_schema_says_what_the_file_takes(tmp_path):
    schema = json.loads(printed("schema"))
    tunnel = schema["properties"]["tunnels"]["patternProperties"]
    section = next(iter(tunnel.values()))["anyOf"][1]["properties"]
    example = {"boolean": "true", "integer": "5", "string": "x"}
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}

    def refused(text):
        (tmp_path / "f.yaml").write_text(text)
        done = subprocess.run([BIN / "ttf", "start", "nobody", "--config", "f.yaml"], env=env, cwd=tmp_path, capture_output=True, text=True)
        return done.stderr

    for name, row in schema["properties"].items():
        if name != "tunnels":
            assert "unknown" not in refused(f"{name}: {example[row['type']]}\ntunnels: {{a: 1}}\n")
    for name, row in section.items():
        kind = row["type"] if isinstance(row["type"], str) else "integer"
        said = refused(f"tunnels: {{web: {{{name}: {example[kind]}}}}}\n")
        assert not re.search("unknown setting|belongs to|is for", said), said
    assert "unknown" in refused("tunnel: {}\n") and "tunnel" not in schema["properties"]
    man = printed("man-yaml")
    for name in [*schema["properties"], *section]:
        assert name.replace("-", "\\-") in man, name


def test_a_text_that_there_is_not():
    done = ttf("print", "csh")
    assert done.returncode == 2 and done.stderr == "ttf: ttf print wants one of bash, zsh, fish, man, man-yaml, schema\n"
