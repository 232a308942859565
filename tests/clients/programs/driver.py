"""Calls functions of a program that lies beside it; the last line printed is what they gave, in JSON."""

import json
import sys
from importlib import import_module

if __name__ == "__main__":
    program = import_module(sys.argv[1])
    print("\n" + json.dumps([getattr(program, verb)(*words) for verb, *words in json.loads(sys.argv[2])]))
