#!/bin/bash
# Installs on a node the Python that tasks run in, $AZ_BATCH_NODE_SHARED_DIR/python, and ilastik,
# $AZ_BATCH_NODE_SHARED_DIR/ilastik; where it was brought along, the pixel engine, $AZ_BATCH_NODE_SHARED_DIR/engine, as
# well: each complete and tried, or not at all. Can run again at any time: what is there already is done at once, and
# what a stopped run left is put right.
#
# Where tools.tar was brought along, the tools in it too, each by its own install.sh: $AZ_BATCH_NODE_SHARED_DIR/tools/NAME.
#
# Beside it: install_python.py with node-requirements.txt and node-python.tar, the wheels for that Python; smoke.h5 and
# smoke.ilp, an image and a classifier to try ilastik with; engine.whl, the pixel engine, where it is wanted.
# Given: ILASTIK_ARCHIVE (blob in the container of tools; a file of that name beside this script is taken instead),
#   ILASTIK_SHA256, ILASTIK_VERSION, TOOLS_URL (that container), POOL_IDENTITY_CLIENT_ID, AZ_BATCH_NODE_SHARED_DIR,
#   ILASTIK_WHEN (start: now, which goes without saying; needed: ilastik is only prepared, and a task that needs it runs
#   $AZ_BATCH_NODE_SHARED_DIR/later/install.sh, which puts it into later/installed/ilastik; only: nothing but ilastik).
# Optional: METADATA_URL (the node's metadata service, which gives tokens), TRIES (of each download), PAUSE_SECONDS
#   (after the first failure; it doubles up to a minute), LOCK_SECONDS, SELF_TEST_SECONDS.
#
# Exit codes: 89 a tool can't be installed or does not work here, 90 wrong settings, 91 no token, 92 storage can't be reached, 93 storage refuses or has no such blob,
#   94 not the archive that was meant, 95 can't be unpacked, 96 this ilastik does not work here, 97 another
#   installation on this node does not end, 98 the Python for tasks can't be installed, 99 the pixel engine can't be
#   installed or does not work here.
set -euo pipefail
umask 022

say() { printf '%(%H:%M:%S)T %s\n' -1 "$1"; }

fail() {
    printf '%s\n' "$2" >&2
    exit "$1"
}

for name in ILASTIK_ARCHIVE ILASTIK_SHA256 ILASTIK_VERSION AZ_BATCH_NODE_SHARED_DIR; do
    [[ -n ${!name:-} ]] || fail 90 "The start task has no $name: the pool's environment settings are incomplete."
done
[[ $ILASTIK_ARCHIVE =~ ^[A-Za-z0-9._/-]+$ ]] ||
    fail 90 "ILASTIK_ARCHIVE is '$ILASTIK_ARCHIVE'; it must be the name of a blob, of A-Z a-z 0-9 . _ / -."
[[ $ILASTIK_SHA256 =~ ^[0-9a-f]{64}$ ]] ||
    fail 90 "ILASTIK_SHA256 is '$ILASTIK_SHA256'; it must be 64 hexadecimal digits in lower case."

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
shared=$AZ_BATCH_NODE_SHARED_DIR
home=$shared/ilastik
later=$shared/later
when=${ILASTIK_WHEN:-start}
[[ $when =~ ^(start|needed|only)$ ]] || fail 90 "ILASTIK_WHEN is '$when'; it must be start, needed or only."
archive=$shared/.ilastik-$ILASTIK_SHA256.download
metadata_url=${METADATA_URL:-http://169.254.169.254}
tries=${TRIES:-8}
pause_seconds=${PAUSE_SECONDS:-2}
new=
token=
scratch=$(mktemp -d)

# On the way out: nothing half-done stays but the downloaded part of the archive, where the next run goes on.
tidy() {
    rm -rf -- "$scratch"
    [[ -z $new ]] || rm -rf -- "$new"
}
trap tidy EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

is_installed() {
    [[ -f $home/run_ilastik.sh && -f $home/VERSION && -f $home/.archive-sha256 ]] &&
        [[ $(<"$home/VERSION") == "$ILASTIK_VERSION" && $(<"$home/.archive-sha256") == "$ILASTIK_SHA256" ]]
}

has_digest() {
    sha256sum --check --status - <<<"$ILASTIK_SHA256  $1"
}

# pause TRY: seconds that double with each try.
pause() {
    local seconds=$((pause_seconds << ($1 - 1)))
    sleep $((seconds < 60 ? seconds : 60))
}

# Sets token: what the node's own metadata service gives for the pool's identity.
get_token() {
    local query="api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
    local answer=$scratch/token.json status=000 try
    for ((try = 1; try <= tries; try++)); do
        status=$(curl --silent --show-error --noproxy '*' --max-time 30 --header 'Metadata: true' \
            --output "$answer" --write-out '%{http_code}' \
            "$metadata_url/metadata/identity/oauth2/token?$query&client_id=$POOL_IDENTITY_CLIENT_ID") || true
        if [[ $status == 200 ]]; then
            token=$(sed -n 's/.*"access_token"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$answer")
            [[ -z $token ]] || return 0
        fi
        [[ $status != 400 ]] ||
            fail 91 "The node has no identity with the client id $POOL_IDENTITY_CLIENT_ID: give the pool that identity. The metadata service says: $(head -c 500 "$answer")"
        ((try == tries)) || pause "$try"
    done
    fail 91 "The node's metadata service gave no token for storage in $tries tries; its last status was $status. A pool without an identity has none."
}

# Downloads the archive; what is there of it already is kept.
download() {
    local url=${TOOLS_URL%/}/$ILASTIK_ARCHIVE status=000 try ended
    for ((try = 1; try <= tries; try++)); do
        ended=0
        # The token in a file that only this user reads: command lines are there for everybody.
        status=$(curl --silent --show-error --fail --continue-at - --connect-timeout 30 \
            --speed-limit 1000 --speed-time 60 --header "@$scratch/headers" \
            --output "$archive" --write-out '%{http_code}' "$url") || ended=$?
        case $status in
            # A range that begins at the end: all of it is there.
            416) return 0 ;;
            200 | 206) ((ended != 0)) || return 0 ;;
            404) fail 93 "There is no blob $url: has the archive of ilastik been mirrored there?" ;;
        esac
        # What is between here and storage gives no parts.
        ((ended != 33)) || rm -f -- "$archive"
        say "   try $try of $tries: status $status, curl ended with $ended"
        ((try == tries)) || pause "$try"
    done
    case $status in
        401 | 403) fail 93 "Storage refuses $url (status $status): the pool's identity needs the role Storage Blob Data Reader on that container; a new role takes minutes to be known." ;;
        *) fail 92 "$url could not be downloaded in $tries tries (status $status, curl's exit code $ended). What came is kept for the next try." ;;
    esac
}

# Sets archive to a file with the right digest.
fetch() {
    local beside=$here/${ILASTIK_ARCHIVE##*/}
    if [[ -f $beside ]]; then
        archive=$beside
        has_digest "$archive" ||
            fail 94 "The archive $beside that was brought with the start task has not the SHA-256 $ILASTIK_SHA256."
        return 0
    fi
    for name in TOOLS_URL POOL_IDENTITY_CLIENT_ID; do
        [[ -n ${!name:-} ]] || fail 90 "The start task has no $name: the pool's environment settings are incomplete."
    done
    local resumed=0
    [[ ! -s $archive ]] || resumed=1
    get_token
    (
        umask 077
        printf 'Authorization: Bearer %s\nx-ms-version: 2023-11-03\n' "$token" >"$scratch/headers"
    )
    download
    has_digest "$archive" && return 0
    rm -f -- "$archive"
    if ((resumed)); then
        say "   What an earlier run had begun does not fit; once more from the beginning"
        download
        has_digest "$archive" && return 0
        rm -f -- "$archive"
    fi
    fail 94 "${TOOLS_URL%/}/$ILASTIK_ARCHIVE has not the SHA-256 $ILASTIK_SHA256: it is not the archive that was deployed. It is not used."
}

# lbzip2 unpacks on all cores; it is wanted, not needed.
want_lbzip2() {
    command -v lbzip2 >/dev/null && return 0
    command -v apt-get >/dev/null || return 0
    local -a install=(apt-get --quiet --yes -o DPkg::Lock::Timeout=60 install --no-install-recommends lbzip2)
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 "${install[@]}" || { timeout 120 apt-get --quiet update && timeout 120 "${install[@]}"; }
}

unpack() {
    local program=bzip2
    ! command -v lbzip2 >/dev/null || program=lbzip2
    command -v "$program" >/dev/null || fail 95 "This node has neither lbzip2 nor bzip2: choose an image that has."
    say "Unpacking with $program"
    if ! tar --extract --file "$archive" --use-compress-program "$program" --directory "$new" \
        --strip-components 1 --no-same-owner; then
        fail 95 "The archive of ilastik can't be unpacked; tar's own message is above. $(df --output=avail -BM -- "$shared" | tail -n 1 | tr -d ' ') are free in $shared; unpacked it needs about five times its $(($(stat --format %s -- "$archive") >> 20)) MB."
    fi
    # Tasks run as other users.
    chmod -R a+rX -- "$new"
}

# Of the image it needs no more than its python3: no network, and no rights but those to the shared folder.
install_python() {
    command -v python3 >/dev/null || fail 98 "This node has no python3: choose an image that has."
    [[ -f $here/install_python.py ]] ||
        fail 90 "There is no install_python.py beside the start task: the pool's resource files are incomplete."
    # Without the lock, which must not outlive this script.
    python3 -I "$here/install_python.py" --into "$shared/python" 9>&- || exit 98
}

# self_test NAME PROGRAM CODE: has it segment a tiny image; a help text would load nothing of what can break.
self_test() {
    local seconds=${SELF_TEST_SECONDS:-300} output=$scratch/self-test.txt name
    for name in smoke.h5 smoke.ilp; do
        [[ -f $here/$name ]] || fail 90 "There is no $name beside the start task: the pool's resource files are incomplete."
        cp -- "$here/$name" "$scratch"
    done
    rm -f -- "$scratch/smoke.tiff"
    local -a clean=(env -u PYTHONPATH -u PYTHONHOME "HOME=$scratch" timeout --kill-after 10 "$seconds")
    (cd -- "$scratch" && exec "${clean[@]}" "$2" --headless --readonly --project=smoke.ilp \
        smoke.h5/volume/data "--export_source=Simple Segmentation" "--output_format=multipage tiff" \
        --output_filename_format=smoke.tiff --ignore_training_axistags) >"$output" 2>&1 </dev/null ||
        fail "$3" "$1 cannot segment a tiny image on this node (or not within $seconds s): $(tail -c 1000 "$output")"
    [[ -s $scratch/smoke.tiff ]] ||
        fail "$3" "$1 says that it has segmented a tiny image, but there is no TIFF: $(tail -c 1000 "$output")"
}

# put_in_place FOLDER: new takes its place. Whatever is there is another version or incomplete; a folder can't replace a
# full one, so it is moved away first.
put_in_place() {
    local old=$shared/.${1##*/}-old
    if [[ -e $1 || -L $1 ]]; then
        mv -T -- "$1" "$(mktemp -du -- "$old.XXXXXX")"
    fi
    mv -T -- "$new" "$1"
    new=
    rm -rf -- "$old".*
}

# A few hundred kilobytes that need nothing but the Python for tasks.
install_engine() {
    local wheel=$here/engine.whl engine=$shared/engine sha
    [[ -f $wheel ]] || return 0
    sha=$(sha256sum <"$wheel")
    [[ ! -f $engine/.archive-sha256 || $(<"$engine/.archive-sha256") != "$sha" ]] || return 0
    rm -rf -- "$shared"/.engine-new.* "$shared"/.engine-old.*
    new=$(mktemp -d -- "$shared/.engine-new.XXXXXX")
    chmod 755 -- "$new"
    python3 -I -m zipfile -e "$wheel" "$new" || fail 99 "The pixel engine can't be unpacked; Python's own message is above."
    chmod a+x -- "$new/pixel_engine/run_ilastik.sh"
    self_test "The pixel engine" "$new/pixel_engine/run_ilastik.sh" 99
    printf '%s\n' "$sha" >"$new/.archive-sha256"
    put_in_place "$engine"
    say "The pixel engine is installed in $engine"
}

# Each decides by itself whether it is there already.
install_tools() {
    local archive=$here/tools.tar installer name
    [[ -f $archive ]] || return 0
    tar --extract --file "$archive" --directory "$scratch" --no-same-owner || fail 89 "The archive of tools can't be unpacked."
    for installer in "$scratch"/tools/*/install.sh; do
        name=$(basename -- "$(dirname -- "$installer")")
        say "Installing $name"
        bash "$installer" "$shared/tools/$name" >"$scratch/tool.txt" 2>&1 9>&- ||
            fail 89 "The tool $name can't be installed on this node: $(tail -c 1000 "$scratch/tool.txt")"
        say "   $(tail -n 1 "$scratch/tool.txt")"
    done
}

# What a task takes to install ilastik itself. Tasks are other users than the start task: only the place of what they
# install is theirs. Without a sticky bit: Linux would keep them from a lock that is not their own.
prepare_for_later() {
    local name place=$later/installed
    mkdir -p -- "$place"
    chmod 777 -- "$place"
    : >>"$place/.ilastik.lock"
    chmod 666 -- "$place/.ilastik.lock"
    if [[ -e $place/ilastik && $(cat -- "$place/ilastik/.archive-sha256" 2>/dev/null) != "$ILASTIK_SHA256" ]]; then
        rm -rf -- "$place/ilastik"
    fi
    for name in start_task.sh smoke.h5 smoke.ilp; do
        [[ -f $here/$name ]] || fail 90 "There is no $name beside the start task: the pool's resource files are incomplete."
        put_beside "$name"
    done
    [[ ! -f $here/${ILASTIK_ARCHIVE##*/} ]] || put_beside "${ILASTIK_ARCHIVE##*/}"
    printf '%s\n' "$ILASTIK_VERSION" >"$later/VERSION"
    {
        printf '#!/bin/bash\nexport ILASTIK_WHEN=only AZ_BATCH_NODE_SHARED_DIR=%q\n' "$place"
        for name in ILASTIK_ARCHIVE ILASTIK_SHA256 ILASTIK_VERSION TOOLS_URL POOL_IDENTITY_CLIENT_ID METADATA_URL TRIES \
            PAUSE_SECONDS LOCK_SECONDS SELF_TEST_SECONDS; do
            [[ -z ${!name:-} ]] || printf 'export %s=%q\n' "$name" "${!name}"
        done
        printf 'exec /bin/bash %q\n' "$later/start_task.sh"
    } >"$later/.new"
    # Last: where it is, everything is.
    mv -T -- "$later/.new" "$later/install.sh"
    say "ilastik $ILASTIK_VERSION is installed when a task needs it"
}

put_beside() {
    cp -- "$here/$1" "$later/.new"
    chmod 644 -- "$later/.new"
    mv -T -- "$later/.new" "$later/$1"
}

mkdir -p -- "$shared"
exec 9>"$shared/.ilastik.lock"
flock --wait "${LOCK_SECONDS:-900}" 9 ||
    fail 97 "Another installation on this node has not ended in ${LOCK_SECONDS:-900} s."

if [[ $when != only ]]; then
    install_python
    install_engine
    install_tools
fi
if is_installed; then
    say "ilastik $ILASTIK_VERSION is there already"
    exit 0
fi
if [[ $when == needed ]]; then
    prepare_for_later
    exit 0
fi
rm -rf -- "$shared"/.ilastik-new.* "$shared"/.ilastik-old.*

# While the archive comes; without the lock, which must not outlive this script.
want_lbzip2 >"$scratch/apt.txt" 2>&1 9>&- &
installing=$!
say "Fetching $ILASTIK_ARCHIVE"
fetch
wait "$installing" || say "   lbzip2 could not be installed: $(tail -n 1 "$scratch/apt.txt")"

new=$(mktemp -d -- "$shared/.ilastik-new.XXXXXX")
chmod 755 -- "$new"
unpack
say "Trying it"
[[ -f $new/run_ilastik.sh ]] || fail 96 "There is no run_ilastik.sh in $ILASTIK_ARCHIVE: it is no archive of ilastik for Linux."
self_test ilastik "$new/run_ilastik.sh" 96
printf '%s\n' "$ILASTIK_SHA256" >"$new/.archive-sha256"
printf '%s\n' "$ILASTIK_VERSION" >"$new/VERSION"
put_in_place "$home"
[[ $archive != "$shared"/* ]] || rm -f -- "$archive"
say "ilastik $ILASTIK_VERSION is installed in $home"
