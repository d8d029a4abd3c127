#!/usr/bin/env bash
# Find a Chromium for the tests of the site, or install the one of the system's package manager.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then exit 0; fi
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -q && apt-get install -y -q chromium
else
    echo "The tests of the site need Chromium. On Debian: sudo apt-get install chromium; elsewhere: your package manager." >&2
    exit 1
fi
