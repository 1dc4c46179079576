"""The command line of the embedded AWS: `python -m local_aws --dir RUNDIR`. It must never print where a server's log belongs."""

import argparse
import logging
import re
import sys
from pathlib import Path

from . import server


def account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise argparse.ArgumentTypeError("an account is 12 digits")
    return text


def rate(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("a rate is a number above 0")
    return value


def main() -> int:
    parser = argparse.ArgumentParser(prog="local_aws", description="An AWS on this machine, on loopback, in memory.")
    parser.add_argument("--dir", type=Path, required=True, help="where status.json and server.log are kept")
    parser.add_argument("--port", type=int, default=4566, help="the wanted port; a free one if taken, or if 0")
    parser.add_argument("--account", type=account, default="000000000000")
    parser.add_argument("--rate", type=rate,
                        help="simulated seconds in a real one; unsaid: 60 while a cluster starts or ends, else 1")
    parser.add_argument("--cache", type=Path, help="where Spark and what it needs are installed; without it no step runs")
    parser.add_argument("--model", choices=("ministack", "moto"), default="ministack")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=options.dir / "server.log", level=logging.INFO, force=True,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    return server.run(options)


if __name__ == "__main__":
    sys.exit(main())
