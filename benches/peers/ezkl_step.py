"""One step of EZKL in a process of its own: `ezkl_step.py STEP FOLDER MODEL DATA`.

Prints one line of JSON: seconds of the step, peak memory of the process in bytes.
"""

import asyncio
import inspect
import json
import resource
import sys
import time
from pathlib import Path

import ezkl

def file(folder: Path, name: str) -> str:
    return str(folder / name)


def run(step: str, folder: Path, model: str, data: str) -> object:
    settings, compiled = file(folder, "settings.json"), file(folder, "model.compiled")
    srs, key, proof = file(folder, "kzg.srs"), file(folder, "pk.key"), file(folder, "proof.json")
    verifying_key, witness = file(folder, "vk.key"), file(folder, "witness.json")
    if step == "gen_settings":
        # As in a proof by zkinfer: input and output public, the weights bound by the key.
        arguments = ezkl.PyRunArgs()
        arguments.input_visibility = "public"
        arguments.output_visibility = "public"
        arguments.param_visibility = "fixed"
        return ezkl.gen_settings(model, settings, py_run_args=arguments)
    if step == "calibrate":
        return ezkl.calibrate_settings(data, model, settings, "resources")
    if step == "compile":
        return ezkl.compile_circuit(model, compiled, settings)
    if step == "gen_srs":
        rows = json.loads(Path(settings).read_text())["run_args"]["logrows"]
        return ezkl.gen_srs(srs, rows)
    if step == "setup":
        return ezkl.setup(compiled, verifying_key, key, srs)
    if step == "gen_witness":
        return ezkl.gen_witness(data, compiled, witness)
    if step == "prove":
        return ezkl.prove(witness, compiled, key, proof, srs)
    if step == "verify":
        return ezkl.verify(proof, settings, verifying_key, srs)
    raise SystemExit(f"EZKL has no step {step}")


async def main() -> None:
    step, folder, model, data = sys.argv[1:]
    start = time.perf_counter()
    result = run(step, Path(folder), model, data)
    if inspect.isawaitable(result):
        result = await result
    seconds = time.perf_counter() - start
    # A proof that is refused is an exception in some versions and a value in others.
    if result is False or (step == "verify" and result is not True):
        raise SystemExit(f"EZKL's step {step} failed")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))


asyncio.run(main())
