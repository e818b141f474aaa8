"""Kubeconfig files as kubectl reads them: merging, paths, and one clear sentence for every broken one."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from lazarus_tui.kube.contexts import Kubeconfig, in_cluster, load_kubeconfig
from lazarus_tui.kube.errors import ConfigError
from lazarus_tui.kube.outbound import proxy_for


def kubeconfig(name: str, server: str = "https://10.0.0.1:6443", user: str = "token: t", **extra: str) -> str:
    current = f"current-context: {name}\n" if extra.get("current", "yes") else ""
    return f"""apiVersion: v1
kind: Config
{current}clusters:
- name: {name}
  cluster:
    server: {server}
    {extra.get("cluster", "")}
users:
- name: {name}
  user:
    {user}
contexts:
- name: {name}
  context: {{cluster: {name}, user: {name}, namespace: ns-{name}}}
"""


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def load(*files: Path, **environ: str) -> Kubeconfig:
    listed = os.pathsep.join(str(file) for file in files)
    return load_kubeconfig(environ={"KUBECONFIG": listed, "HOME": "/nonexistent", **environ})


def test_the_first_file_wins_for_the_current_context_and_for_every_name(tmp_path: Path) -> None:
    one = write(tmp_path / "1", kubeconfig("prod", "https://first"))
    two = write(
        tmp_path / "2", kubeconfig("stage") + kubeconfig("prod", "https://second").partition("clusters:")[0][:0]
    )
    three = write(tmp_path / "3", kubeconfig("prod", "https://second", "token: other"))
    found = load(one, two, three)
    assert found.current == "prod"
    assert load(two, one).current == "stage"
    assert sorted(found.contexts) == ["prod", "stage"]
    assert found.context().server == "https://first"
    assert found.context().user.token == "t"
    assert found.context("stage").namespace == "ns-stage"
    assert load(three, one).context().server == "https://second"


def test_a_file_without_current_context_leaves_it_to_the_next(tmp_path: Path) -> None:
    one = write(tmp_path / "1", kubeconfig("a", current=""))
    two = write(tmp_path / "2", kubeconfig("b"))
    assert load(one, two).current == "b"


def test_an_entry_of_one_file_can_use_those_of_another(tmp_path: Path) -> None:
    one = write(tmp_path / "1", "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]")
    two = write(tmp_path / "2", "kind: Config\nclusters: [{name: c, cluster: {server: 'https://c'}}]")
    three = write(tmp_path / "3", "kind: Config\nusers: [{name: u, user: {token: t}}]")
    assert load(one, two, three).context().server == "https://c"
    with pytest.raises(ConfigError, match="names user 'u', which is not there"):
        load(one, two).context()
    with pytest.raises(ConfigError, match="names cluster 'c', which is not there"):
        load(one, three).context()


def test_missing_files_in_a_list_are_fine_but_a_named_one_must_exist(tmp_path: Path) -> None:
    one = write(tmp_path / "1", kubeconfig("a"))
    assert load(tmp_path / "missing", one, one).current == "a"
    named = load_kubeconfig([tmp_path / "missing"])
    assert named.errors == (f"{tmp_path}/missing: no such file",)


def test_the_home_directory_is_the_default(tmp_path: Path) -> None:
    write(tmp_path / ".kube" / "config", kubeconfig("home"))
    assert load_kubeconfig(environ={"HOME": str(tmp_path)}).current == "home"
    assert load_kubeconfig(environ={"HOME": str(tmp_path), "KUBECONFIG": ":"}).current == "home"


def test_nothing_at_all_is_one_sentence(tmp_path: Path) -> None:
    found = load_kubeconfig(environ={"HOME": str(tmp_path)})
    assert (dict(found.contexts), found.errors) == ({}, ())
    with pytest.raises(ConfigError, match=r"no kubeconfig found \(.*/\.kube/config\)"):
        found.context()


def test_paths_start_at_the_files_own_folder(tmp_path: Path) -> None:
    user = "tokenFile: ../t\n    client-certificate: crt\n    client-key: /abs/key\n    exec: {command: ./x}"
    text = kubeconfig("a", user=user, cluster="certificate-authority: pki/ca.crt")
    write(tmp_path / "deep" / "config", text)
    found = load_kubeconfig([Path("deep/config")], cwd=tmp_path).contexts["a"]
    folder = tmp_path / "deep"
    assert found.cluster.ca_file == str(folder / "pki/ca.crt")
    assert found.user.token_file == str(folder / "../t")
    assert found.user.cert_file == str(folder / "crt")
    assert found.user.key_file == "/abs/key"
    assert found.user.exec is not None
    assert found.user.exec.directory == str(folder)


BROKEN = {
    "tab": ("clusters:\n\t- name: x\n", "2: not YAML"),
    "unclosed": ("contexts: [\n{name: a\n", "not YAML"),
    "list": ("- a\n- b\n", "1: a kubeconfig must be a mapping"),
    "scalar": ("hello world", "1: a kubeconfig must be a mapping"),
    "foreign": ("kind: Pod\nmetadata: {name: x}\n", "1: not a kubeconfig"),
    "other yaml": ("a: 1\n", "1: not a kubeconfig"),
    "clusters map": ("kind: Config\nclusters:\n  a: 1\n", "3: clusters must be a list"),
    "entry text": ("kind: Config\nusers:\n- joe\n", "3: an entry of users must be a mapping"),
    "nameless": ("kind: Config\n\nusers:\n- user: {token: x}\n", "4: an entry of users has no name"),
    "twice": ("kind: Config\nusers:\n- name: a\n- name: a\n", "4: a name appears twice in users"),
    "base64": (
        "kind: Config\nusers:\n- name: a\n  user:\n    client-key-data: 'sEcReT!!'\n",
        "5: client-key-data is not base64",
    ),
    "token map": ("kind: Config\nusers:\n- name: a\n  user: {token: {sEcReT: 1}}\n", "4: token must be text"),
    "flag": (
        "kind: Config\nclusters:\n- name: a\n  cluster: {insecure-skip-tls-verify: sEcReT}\n",
        "4: insecure-skip-tls-verify must be true or false",
    ),
    "exec": ("kind: Config\nusers:\n- name: a\n  user: {exec: {args: [x]}}\n", "4: exec has no command"),
    "binary": (b"\x00\xff\xfe\x00", "1: not text"),
    "nul": (b"kind: Config\nusers: \x00", "not YAML"),
    "huge": (b"#" * (5 * 1024 * 1024), "1: too large"),
    "deep": (b"[" * 20000, "not YAML"),
    "unknown tag": ("kind: Config\nusers: !!python/object:os.system x\n", "2: users must be a list"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_sentence_with_file_and_line(tmp_path: Path, name: str) -> None:
    text, expected = BROKEN[name]
    file = write(tmp_path / "config", text)
    other = write(tmp_path / "other", kubeconfig("fine"))
    found = load(file, other)
    (sentence,) = found.errors
    assert sentence.startswith(f"{file}:")
    assert expected in sentence
    assert "\n" not in sentence
    assert "sEcReT" not in sentence
    # It might have named another current-context, so nothing is chosen by default; the rest can be named.
    assert found.current == ""
    assert found.context("fine").name == "fine"
    with pytest.raises(ConfigError):
        found.context()


@pytest.mark.parametrize("text", ["", "# only words\n", "---\n", "null\n", "kind: Config\nusers: null\nclusters:\n"])
def test_an_empty_file_is_an_empty_configuration_as_for_kubectl(tmp_path: Path, text: str) -> None:
    found = load(write(tmp_path / "config", text), write(tmp_path / "other", kubeconfig("fine")))
    assert (found.errors, found.current) == ((), "fine")


def test_a_folder_and_an_unreadable_path_are_sentences(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.errors == (f"{tmp_path}: Is a directory",)


def test_an_alias_bomb_is_harmless(tmp_path: Path) -> None:
    lines = ["kind: Config", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    extension = "{name: client.authentication.k8s.io/exec, extension: *a11}"
    lines += [f"clusters: [{{name: c, cluster: {{server: 'https://c', extensions: [{extension}]}}}}]"]
    (sentence,) = load(write(tmp_path / "config", "\n".join(lines))).errors
    assert "too many entries" in sentence


def test_a_file_others_can_read_is_warned_about(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a", kubeconfig("a"))).warnings == ()
    for mode in (0o644, 0o640, 0o604):
        (warning,) = load(write(tmp_path / "b", kubeconfig("b"), mode)).warnings
        assert f"mode {mode:04o}" in warning


REFUSED = [
    ("auth-provider: {name: oidc}", "", "https://c", "auth-provider oidc is not supported; use exec with kubelogin"),
    ("token: t", "proxy-url: socks5://p:1080", "https://c", "proxy-url with socks5 is not supported"),
    ("token: t", "proxy-url: 'http://[bad'", "https://c", "not a URL"),
    ("token: t", "", "ftp://c", "its server is not an http"),
    ("token: t", "", "''", "its server is not an http"),
    ("token: t", "", "https://u:p@c", "its server URL carries credentials"),
    ("token: t", "insecure-skip-tls-verify: true\n    certificate-authority: /ca", "https://c", "exclude each other"),
    ("as-groups: [admins]", "", "https://c", "need as"),
    ("exec: {command: aws, apiVersion: client.authentication.k8s.io/v1alpha1}", "", "https://c", "is not supported"),
    (
        "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}",
        "",
        "https://c",
        "needs a terminal",
    ),
]


@pytest.mark.parametrize(("user", "cluster", "server", "expected"), REFUSED)
def test_what_cannot_be_honoured_is_refused_in_words(
    tmp_path: Path, user: str, cluster: str, server: str, expected: str
) -> None:
    found = load(write(tmp_path / "config", kubeconfig("x", server, user, cluster=cluster)))
    assert found.contexts["x"].refusal
    with pytest.raises(ConfigError, match=expected):
        found.context()


def test_an_unknown_context_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no context 'prd'; there are: prod"):
        load(write(tmp_path / "config", kubeconfig("prod"))).context("prd")


def test_an_unverified_server_and_impersonation_are_flagged(tmp_path: Path) -> None:
    text = kubeconfig("x", "https://c", "as: root\n    as-groups: [g1, g2]", cluster="insecure-skip-tls-verify: true")
    found = load(write(tmp_path / "config", text)).context()
    assert found.insecure
    assert len(found.warnings) == 2
    assert found.user.impersonate.groups == ("g1", "g2")


def test_the_pods_own_account_is_used_only_without_a_kubeconfig(tmp_path: Path) -> None:
    folder = tmp_path / "sa"
    write(folder / "token", "tok\n")
    write(folder / "namespace", "lazarus\n")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(tmp_path)}
    found = load_kubeconfig(environ=environ, service_account=folder)
    assert found.current == "in-cluster"
    assert found.context().server == "https://[fd00::1]:443"
    assert found.context().namespace == "lazarus"
    assert found.context().user.token_file == str(folder / "token")
    write(tmp_path / ".kube" / "config", kubeconfig("mine"))
    assert list(load_kubeconfig(environ=environ, service_account=folder).contexts) == ["mine"]
    assert in_cluster({}, folder) is None


def test_no_secret_is_in_any_repr(tmp_path: Path) -> None:
    key = base64.b64encode(b"KEYCANARY").decode()
    user = (
        f"token: TOKENCANARY\n    password: PASSCANARY\n    username: u\n    client-key-data: {key}\n"
        "    exec: {command: x, apiVersion: client.authentication.k8s.io/v1, args: [ARGCANARY],"
        " env: [{name: A, value: ENVCANARY}]}"
    )
    text = kubeconfig("x", "https://u:URLCANARY@c", user, cluster="proxy-url: http://u:PROXYCANARY@p:1")
    found = load(write(tmp_path / "config", text))
    shown = repr(found.contexts["x"].user) + found.contexts["x"].server + str(found.contexts["x"].warnings)
    assert "CANARY" not in shown
    assert "CANARY" not in repr(found)
    assert found.contexts["x"].user.key_data == b"KEYCANARY"


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://api.example.com", {}, None),
        ("https://api.example.com", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example.com", {"https_proxy": "http://p:3128", "NO_PROXY": "example.com"}, None),
        ("https://api.example.com", {"https_proxy": "http://p:3128", "NO_PROXY": ".example.com"}, None),
        ("https://api.example.com", {"https_proxy": "http://p:3128", "NO_PROXY": "ample.com"}, "http://p:3128"),
        ("https://10.1.2.3:6443", {"https_proxy": "http://p:3128", "NO_PROXY": "x, 10.0.0.0/8"}, None),
        ("https://11.1.2.3:6443", {"https_proxy": "http://p:3128", "NO_PROXY": "10.0.0.0/8"}, "http://p:3128"),
        ("https://127.0.0.1:6443", {"https_proxy": "http://p:3128"}, None),
        ("http://localhost:8080", {"http_proxy": "http://p:3128"}, None),
        ("https://[::1]:6443", {"https_proxy": "http://p:3128"}, None),
        ("https://api", {"https_proxy": "http://p:3128", "no_proxy": "*"}, None),
    ],
)
def test_proxies_of_the_environment(tmp_path: Path, server: str, environ: dict[str, str], expected: str | None) -> None:
    found = load(write(tmp_path / "config", kubeconfig("x", server))).context()
    assert proxy_for(found, environ) == expected
    own = load(write(tmp_path / "own", kubeconfig("x", server, cluster="proxy-url: http://own:1"))).context()
    assert proxy_for(own, environ) == "http://own:1"
