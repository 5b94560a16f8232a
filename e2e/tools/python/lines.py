"""What the validators have in common: JSON lines in, JSON lines out (see ../validators/lines)."""

import base64
import json
import sys


def answer(judge):
    """Reads questions from standard input and writes a list of findings for each."""
    for line in sys.stdin:
        question = json.loads(line)
        question["certificates"] = [
            base64.b64decode(certificate) for certificate in question["certificates"]
        ]
        print(json.dumps(list(judge(question))))


def finding(severity, rule, detail=""):
    return {"severity": severity, "rule": rule, "detail": detail}
