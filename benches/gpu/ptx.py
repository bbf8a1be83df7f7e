"""An interpreter of PTX, as far as nvcc uses it for the engine's kernels, on memory of this process.

Every function becomes one of Python's: a loop over its blocks, with registers as local variables.
Threads run one after the other, so kernels with barriers, shared memory or exchanges between threads
are refused.
"""

import ctypes
import re
from collections.abc import Callable

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
BYTES = {"u32": 4, "b32": 4, "s32": 4, "u64": 8, "b64": 8, "s64": 8}
PLACES = ["%tid.x", "%ctaid.x", "%ctaid.y", "%ntid.x", "%nctaid.x"]
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
LOGIC = {"and": "&", "or": "|", "xor": "^"}


def read32(address: int) -> int:
    return ctypes.c_uint32.from_address(address).value


def read64(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def write32(address: int, value: int) -> None:
    ctypes.c_uint32.from_address(address).value = value


def write64(address: int, value: int) -> None:
    ctypes.c_uint64.from_address(address).value = value


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def variable(register: str) -> str:
    return register.strip().replace("%", "v_").replace("$", "_")


def value(operand: str) -> str:
    """An operand as an expression."""
    operand = operand.strip()
    if operand in PLACES:
        return f"place[{operand!r}]"
    if operand.startswith("%"):
        return variable(operand)
    if operand.startswith("__local_depot"):
        return "depot"
    return str(int(operand, 0) & M64)


class Function:
    """One function of the text."""

    def __init__(self, is_kernel: bool, head: str, body: str) -> None:
        self.is_kernel = is_kernel
        self.name = re.search(r"(\w+)\(", head)[1]
        self.parameters = re.findall(r"\.param\s+\.b64\s+(\w+)", head)
        depot = re.search(r"\.local .*?__local_depot\d+\[(\d+)\]", body)
        self.depot = int(depot[1]) if depot else 0
        self.statements = list(statements(body))


def calls(body: str) -> str:
    """Puts each sequence of a call into one statement."""

    def call(found: re.Match[str]) -> str:
        text = found[0]
        given = re.findall(r"st\.param\.b64\s+\[param\d+\+0\],\s*(%\w+);", text)
        target = re.search(r"call\.uni\s*(?:\(retval0\),)?\s*(\w+)", text)[1]
        taken = re.findall(r"ld\.param\.b32\s+(%\w+),\s*\[retval0\+(\d+)\];", text)
        results = " ".join(f"{register}:{offset}" for register, offset in taken)
        return f"CALL {target}|{' '.join(given)}|{results};"

    return re.sub(r"\{\s*\n\s*\.reg \.b32 temp_param_reg;.*?\n\s*\}", call, body, flags=re.DOTALL)


def statements(body: str):
    """Labels and instructions, in order."""
    body = calls(re.sub(r"//.*", "", body))
    for raw in re.findall(r"\$\w+:|[^;{}]*\{[^{}]*\}[^;]*;|[^;]+;", body):
        text = raw.strip()
        while found := re.match(r"\{?\s*(\$\w+):\s*(.*)$", text, re.DOTALL):
            yield "label", found[1]
            text = found[2].strip()
        text = text.lstrip("{} \n\t").rstrip(";").strip()
        if text and not text.startswith("."):
            yield "instruction", text


class Translator:
    """Turns one function into Python."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.blocks: list[list[str]] = [[]]
        self.labels: dict[str, int] = {}
        for kind, text in function.statements:
            if kind == "label":
                self.blocks.append([])
                self.labels[text] = len(self.blocks) - 1
                continue
            self.blocks[-1].append(text)
            if re.match(r"(@!?%p\d+\s+)?(bra|ret)\b", text):
                self.blocks.append([])

    def compile(self) -> Callable:
        size = self.function.depot + 16
        lines = ["def function(arguments, place, results, call):", " carry = block = 0"]
        lines += [f" local = ctypes.create_string_buffer({size})"]
        lines += [" depot = (ctypes.addressof(local) + 15) // 16 * 16", " while True:"]
        for number, block in enumerate(self.blocks):
            lines += [f"  if block == {number}:", f"   block = {number + 1}"]
            lines += [f"   {line}" for text in block for line in self.instruction(text)]
        scope = dict(globals())
        exec(compile("\n".join(lines), self.function.name, "exec"), scope)
        return scope["function"]

    def instruction(self, text: str) -> list[str]:
        condition = ""
        if found := re.match(r"@(!?)(%p\d+)\s+(.*)$", text, re.DOTALL):
            condition = f"if {'not ' if found[1] else ''}{variable(found[2])}: "
            text = found[3]
        if text.startswith("CALL "):
            return self.call(text[5:])
        opcode, rest = re.match(r"(\S+)\s*(.*)$", text, re.DOTALL).groups()
        parts = opcode.split(".")
        if parts[0] == "bra":
            return [f"{condition}block = {self.labels[rest.strip()]}; continue"]
        if parts[0] == "ret":
            return [f"{condition}return"]
        if parts[0] in ("ld", "st"):
            return [condition + line for line in self.memory(parts, rest)]
        return [condition + line for line in arithmetic(parts, rest, text)]

    @staticmethod
    def call(text: str) -> list[str]:
        target, given, taken = text.split("|")
        arguments = ", ".join(variable(register) for register in given.split())
        lines = ["buffer = ctypes.create_string_buffer(256); at = ctypes.addressof(buffer)"]
        lines += [f"call({target!r}, [{arguments}], place, at)"]
        for result in taken.split():
            register, offset = result.split(":")
            lines.append(f"{variable(register)} = read32(at + {offset})")
        return lines

    def memory(self, parts: list[str], rest: str) -> list[str]:
        if "shared" in parts:
            raise SystemExit(f"{self.function.name} has shared memory")
        size = BYTES[parts[-1]]
        bits = 8 * size
        base, _, offset = re.search(r"\[([^\]]+)\]", rest)[1].partition("+")
        offset = offset or "0"
        is_load = parts[0] == "ld"
        if vector := re.search(r"\{([^}]*)\}", rest):
            registers = vector[1].split(",")
        else:
            registers = [rest.split(",")[0] if is_load else rest.split("],")[1]]
        if "param" in parts and is_load:
            if self.function.is_kernel:
                return [f"{variable(registers[0])} = read{bits}(arguments + {offset})"]
            index = self.function.parameters.index(base.strip())
            return [f"{variable(registers[0])} = arguments[{index}]"]
        if "param" in parts:
            return [f"write{bits}(results + {offset}, {value(registers[0])})"]
        address = f"(({value(base)} + ({offset})) & M64)"
        if is_load:
            lines = [f"{variable(r)} = read{bits}({address} + {i * size})" for i, r in enumerate(registers)]
        else:
            mask = (1 << bits) - 1
            lines = [
                f"write{bits}({address} + {i * size}, {value(r)} & {mask})"
                for i, r in enumerate(registers)
            ]
        return lines


def arithmetic(parts: list[str], rest: str, text: str) -> list[str]:
    """Everything that only reads and writes registers."""
    if parts[0] == "mov" and "{" in rest:
        return halves(rest)
    target, *operands = rest.split(",")
    target, a = variable(target), [value(operand) for operand in operands]
    kind = parts[-1]
    bits = int(kind[1:]) if kind[1:].isdigit() else 0
    mask = (1 << bits) - 1

    def typed(operand: str) -> str:
        masked = f"({operand} & {mask})"
        return f"signed({masked}, {bits})" if kind[0] == "s" else masked

    def with_carry(total: str, out: str) -> list[str]:
        if "cc" in parts:
            return [f"total = {total}; {target} = total & {mask}; carry = {out}"]
        return [f"{target} = ({total}) & {mask}"]

    name = parts[0]
    if name in ("mov", "cvta"):
        return [f"{target} = {a[0]}"]
    if name in ("add", "addc"):
        carried = " + carry" if name == "addc" else ""
        return with_carry(f"({a[0]} & {mask}) + ({a[1]} & {mask}){carried}", f"total >> {bits}")
    if name in ("sub", "subc"):
        carried = " - carry" if name == "subc" else ""
        return with_carry(f"({a[0]} & {mask}) - ({a[1]} & {mask}){carried}", "int(total < 0)")
    if name in ("mul", "mad", "madc"):
        product = f"{typed(a[0])} * {typed(a[1])}"
        added = "" if name == "mul" else f" + {a[2]}"
        if "wide" in parts:
            return [f"{target} = ({product}{added}) & M64"]
        half = f"({product} & {mask})" if "lo" in parts else f"({product} >> {bits} & {mask})"
        carried = " + carry" if name == "madc" else ""
        return with_carry(f"{half}{added}{carried}", f"total >> {bits}")
    if name == "cvt":
        to, kind = int(parts[-2][1:]), parts[-1]
        bits, mask = int(kind[1:]), (1 << int(kind[1:])) - 1
        return [f"{target} = {typed(a[0])} & {(1 << to) - 1}"]
    expressions: dict[str, Callable[[], str]] = {
        "not": lambda: f"not {a[0]}" if kind == "pred" else f"~{a[0]} & {mask}",
        "neg": lambda: f"-{a[0]} & {mask}",
        "abs": lambda: f"abs({typed(a[0])}) & {mask}",
        "shl": lambda: f"{a[0]} << min({a[1]}, 64) & {mask}",
        "shr": lambda: f"{typed(a[0])} >> min({a[1]}, 64) & {mask}",
        "setp": lambda: f"{typed(a[0])} {COMPARED[parts[1]]} {typed(a[1])}",
        "selp": lambda: f"{a[0]} if {a[2]} else {a[1]}",
        "min": lambda: f"min({typed(a[0])}, {typed(a[1])}) & {mask}",
        "max": lambda: f"max({typed(a[0])}, {typed(a[1])}) & {mask}",
        "shf": lambda: f"(({a[1]} << 32 | {a[0]}) << ({a[2]} & 31) >> 32) & M32"
        if "l" in parts
        else f"(({a[1]} << 32 | {a[0]}) >> ({a[2]} & 31)) & M32",
    }
    if name in LOGIC:
        masked = "" if kind == "pred" else f" & {mask}"
        return [f"{target} = ({a[0]} {LOGIC[name]} {a[1]}){masked}"]
    if name not in expressions:
        raise SystemExit(f"no such instruction here: {text}")
    return [f"{target} = {expressions[name]()}"]


def halves(rest: str) -> list[str]:
    """A register of 64 bits from two of 32, or two from one."""
    if found := re.match(r"(%\w+),\s*\{(%\w+),\s*(%\w+)\}", rest):
        whole, low, high = map(variable, found.groups())
        return [f"{whole} = {low} | {high} << 32"]
    low, high, whole = map(variable, re.match(r"\{(%?\w+),\s*(%?\w+)\},\s*(%\w+)", rest).groups())
    return [f"{low} = {whole} & M32; {high} = {whole} >> 32"]


class Machine:
    """Runs the kernels of a text."""

    def __init__(self, text: str) -> None:
        pattern = r"^(?:\.visible |\.weak )?\.(entry|func)\s+(.*?)\n\{\n(.*?)\n\}\n"
        found = re.finditer(pattern, text, re.DOTALL | re.MULTILINE)
        functions = [Function(one[1] == "entry", one[2], one[3]) for one in found]
        self.functions = {function.name: function for function in functions}
        self.compiled: dict[str, Callable] = {}

    def call(self, name: str, arguments, place: dict[str, int], results: int) -> None:
        if name not in self.compiled:
            self.compiled[name] = Translator(self.functions[name]).compile()
        self.compiled[name](arguments, place, results, self.call)

    def launch(self, name: str, arguments: list[int], grid: tuple[int, int], threads: int) -> None:
        words = (ctypes.c_uint64 * len(arguments))(*arguments)
        for y in range(grid[1]):
            for x in range(grid[0]):
                for thread in range(threads):
                    place = dict(zip(PLACES, [thread, x, y, threads, grid[0]], strict=True))
                    self.call(name, ctypes.addressof(words), place, 0)
