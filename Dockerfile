# The local sandbox (bubblewrap) makes user namespaces, which Docker's default profiles forbid; the container needs
#   docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined …
# `backspace doctor` says whether it works.
FROM python:3.11-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git ripgrep \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home backspace

WORKDIR /srv
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN pip install --no-cache-dir .

ENV HOME=/home/backspace \
    HOST=0.0.0.0 \
    PORT=8000 \
    BACKSPACE_DATA=/data/sandboxes \
    BACKSPACE_DATABASE_URL=sqlite:////data/backspace.db
EXPOSE 8000
VOLUME /data
WORKDIR /data

# A volume may come owned by root, so root hands it over and then gives up every right.
CMD ["sh", "-c", "chown backspace: /data && exec setpriv --reuid backspace --regid backspace --init-groups --no-new-privs backspace serve"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
