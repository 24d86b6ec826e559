"""What schedule.py answered, what the stub of Slurm took, and records as jobs leave them."""

from __future__ import annotations

from small_sweep import Answer, SmallSweep
from stub_slurm import StubSlurm


def sentence(answer: Answer, code: int) -> str:
    """The one that a call ends with that cannot do what it should."""
    assert answer.code == code, answer
    (line,) = answer.complained.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def sent(slurm: StubSlurm) -> list[int]:
    """Elements of the jobs that sbatch took."""
    return [len(job["states"]) for job in slurm.jobs]


def finish(sweep: SmallSweep, *indices: int) -> None:
    """Records of these, as if the jobs had run: it is asked only whether they are whole."""
    folder = sweep.results
    for index in indices:
        run = (
            b'{"run_number":0,"index":%d,"setting_id":"0123456789abcdef","random_seed":0,'
            b'"status":"completed"}' % index
        )
        end = 9 + len(run)
        seal = b',"seal":{"setting":0,"run":[9,%d],"xxh3":"0123456789abcdef"}}\n' % end
        path = folder / f"{folder.name}_data_{index}.json"
        path.write_bytes(b"{" * 9 + run + b"]}}" + seal)
