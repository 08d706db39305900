"""Environment variables that an agent's configuration may not set.

They steer a loader, a shell, an interpreter, git or TLS.
A variable of an agent reaches every command in its container: here are those that change what a command is.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Final

MAX_VARIABLES: Final = 50
MAX_VALUE: Final = 4096

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_STEERING = {
    "belongs to the container itself": """
        ANTHROPIC_* DBUS_* EUID HIVE_* HOME HOSTNAME LISTEN_* LOGNAME OLDPWD PATH PWD SYSTEMD_* TEMP TERM TMP TMPDIR UID
        USER XDG_*""",
    "would change how programs are loaded": """
        ASAN_* DYLD_* GCONV_PATH GLIBC_TUNABLES LD_* LIBPATH LSAN_* MALLOC_* MSAN_* SHLIB_PATH TSAN_* UBSAN_* *_PRELOAD""",
    "would change what a shell does": """
        BASHOPTS BASH_* CDPATH ENV EXECIGNORE FCEDIT FISH_* FPATH GLOBIGNORE HISTFILE IFS INPUTRC MAIL MAILPATH OPTARG
        OPTIND POSIXLY_CORRECT PROMPT_COMMAND PS[0-4] SHELL SHELLOPTS SHLVL TERMCAP TERMINFO* ZDOTDIR ZSH_*""",
    "would change what an interpreter or a compiler runs": """
        BUNDLE_* BUN_* CARGO_* CC CGO_* CLASSPATH COMPILER_PATH COMPLUS_* CORECLR_* CPATH CPP CXX DENO_* DOTNET_* ERL_*
        GCC_* GEM_* GHCRTS GOAUTH GOBIN GOCACHE GODEBUG GOENV GOEXPERIMENT GOFLAGS GOINSECURE GOMODCACHE GONOPROXY
        GONOSUMDB GOPATH GOPRIVATE GOPROXY GOROOT GOSUMDB GOTMPDIR GOTOOLCHAIN GUILE_* JAVA_* JDK_* JULIA_* JVM_*
        LIBRARY_PATH LUA_* MONO_* NODE_* OCAMLRUNPARAM PERL* PHPRC PHP_* PYTHON* RUBY* RUSTC* RUSTDOC* RUSTFLAGS
        RUSTUP_* R_* TCLLIBPATH *_OPTS *_OPTIONS *_STARTUP_HOOKS""",
    "would change what git or another tool runs or reads": """
        AWKLIBPATH AWKPATH BROWSER CMAKE_* DIFF_* EDITOR GCM_* GIT_* GNUMAKEFLAGS GREP_* GZIP LESS LESSCLOSE LESSOPEN
        MAKEFILES MAKEFLAGS MANPAGER MFLAGS NIX_* NPM_* PAGER PIP_* PKG_CONFIG* PNPM_* POETRY_* PYTEST_* TAPE UNZIP
        UNZIPOPT UV_* VISUAL XZ_* YARN_* ZIP ZIPOPT""",
    "would change where a command goes on the network, or whom it trusts there": """
        CURL_* DOCKER_* GNUTLS_* GRPC_* HOSTALIASES KRB5* LOCALDOMAIN NETRC OPENSSL_* REQUESTS_* RES_OPTIONS RSYNC_RSH
        SSH_* SSLKEYLOGFILE SSL_* WGETRC *_CA_BUNDLE *_CA_CERT* *_CA_FILE *_CA_PATH *_PROXY""",
    "would change how commands read and write text": "CHARSET LANG LANGUAGE LC_* LOCPATH NLSPATH TZDIR",
    "looks like a credential, and containers hold no keys": """
        *API_KEY *CREDENTIALS *PASSWD *PASSWORD *SECRET *SECRET_KEY *TOKEN""",
}
_PATTERNS = [(re.compile("|".join(map(translate, names.split()))), reason) for reason, names in _STEERING.items()]


def why_not(name: str) -> str:
    """Why a variable of this name may not be set, as the end of a sentence; empty if it may."""
    if not _NAME.fullmatch(name):
        return "should be in capital letters, digits and _, a letter first, 64 at the most"
    return next((reason for pattern, reason in _PATTERNS if pattern.match(name)), "")
