"""Compile libraries that have the names a program is linked to and nothing behind them."""

import re
import subprocess


def undefined_symbols(library):
    """Return the C names a shared object needs from elsewhere, without Python's, libc's and C++'s."""
    listed = subprocess.run(
        ["readelf", "-W", "--dyn-syms", str(library)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = {line.split()[7] for line in listed.splitlines() if " UND " in line and len(line.split()) == 8}
    return sorted(name for name in names if re.fullmatch(r"[a-z]\w+", name))


def needed_libraries(library):
    """Return the sonames a shared object is linked to."""
    listed = subprocess.run(
        ["readelf", "-W", "-d", str(library)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", listed)


def compile_empty(directory, soname, symbols):
    """Write `directory/soname`, in which every symbol is a function that returns null."""
    source = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in symbols)
    subprocess.run(
        ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{soname}", "-x", "c", "-", "-o", str(directory / soname)],
        input=source,
        text=True,
        check=True,
        timeout=60,
    )
