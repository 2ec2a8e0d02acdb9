# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The container of tools: scripts, the nodes' Python and ilastik's archive, each under a name that belongs to its content.
# Sourced by deploy.sh.

# Puts an answer about the account's data into a variable: empty where there is no such thing. New roles flap: one of
# the service's front ends knows them and the next does not, so every question has patience.
lookup_data() { # variable, question
  local variable=$1
  shift
  patiently "Looking into the storage account $data_account" ask_for_data "$@"
  printf -v "$variable" '%s' "$(<"$work/stored")"
}

ask_for_data() { # question
  local code=0
  az "$@" --account-name "$data_account" --auth-mode login --only-show-errors --output tsv \
    >"$work/stored" 2>"$work/refused" || code=$?
  ((code != 0)) || return 0
  if grep -qE "$MISSING" "$work/refused"; then
    : >"$work/stored"
    return 0
  fi
  cat "$work/refused" >&2
  return "$code"
}

stored_digest() { # variable, blob in tools
  lookup_data "$1" storage blob show --container-name tools --name "$2" --query metadata.sha256
}

upload_tool() { # file, blob, digest
  az storage blob upload --account-name "$data_account" --auth-mode login --container-name tools \
    --file="$1" --name="$2" --metadata "sha256=$3" --overwrite true --no-progress \
    --only-show-errors --output none
}

# The folders are named by the content of their files: what is there is right.
stage_scripts() {
  local file blob sha present
  lookup_data present storage blob list --container-name tools --num-results '*' --query '[].name'
  while IFS=$'\t' read -r file blob sha; do
    [[ $'\n'$present$'\n' != *$'\n'"$blob"$'\n'* ]] || continue
    say "   uploads $blob"
    patiently "Uploading $blob" upload_tool "$file" "$blob" "$sha"
    changed=1
  done <"$work/tools"
}

# The wheels for the nodes' Python are kept beside ilastik's archive: whatever has the name of this list is its.
build_node_python() {
  local cache file sha
  cache=$(cache_folder)
  sha=$(digest file "$here/pool/node-requirements.txt")
  file=$cache/node-python-$sha.tar
  if [[ ! -f $file ]]; then
    say "   brings the wheels of the nodes' Python together (about 110 MB, once)"
    mkdir -p "$cache"
    "$python" "$here/package.py" --node-python "$file" >/dev/null ||
      fail "The archive of the nodes' Python could not be built; the reason is above. Run this again: what is done stays done."
  fi
  digest start-file "$file" node-python.tar >>"$work/tools"
}

# Sets engine_blob, empty where no engine is wanted. Its name is that of its content, and a part of the pool's: nodes of an
# older pool go on with theirs.
build_engine() {
  local sha
  engine_blob=
  [[ ${parameter[engine]} == certified ]] || return 0
  say "   builds the pixel engine"
  sha=$("$python" "$here/package.py" --engine "$work/engine.whl") ||
    fail "The pixel engine could not be built; the reason is above. Without it: --engine ilastik"
  engine_blob=engine-${sha:0:10}/engine.whl
  printf '%s\t%s\t%s\n' "$work/engine.whl" "$engine_blob" "$sha" >>"$work/tools"
}

# Sets tools_blob, empty where no tool besides ilastik is wanted; named by its content as the engine is.
build_tools() {
  local sha names=()
  tools_blob=
  IFS=, read -ra names <<<"${parameter[tools]//,ilastik/}"
  [[ ${names[*]} != ilastik ]] || return 0
  # ilastik is installed in any case.
  [[ ${names[0]} != ilastik ]] || names=("${names[@]:1}")
  sha=$("$python" "$here/package.py" --tools "$work/tools.tar" "${names[@]}") ||
    fail "The tools could not be packed; the reason is above. Without them: --tools ilastik"
  tools_blob=tools-${sha:0:10}/tools.tar
  printf '%s\t%s\t%s\n' "$work/tools.tar" "$tools_blob" "$sha" >>"$work/tools"
}

# Sets archive_sha256; brings the archive to this machine unless it is stored already.
find_archive() {
  archive_sha256=
  [[ -z $data_account ]] || stored_digest archive_sha256 "$archive_blob"
  if [[ -n $archive_sha256 ]]; then
    [[ -z $ilastik_sha256 || $ilastik_sha256 == "$archive_sha256" ]] ||
      fail "$archive_blob in $data_account has the SHA-256 $archive_sha256, but --ilastik-sha256 says $ilastik_sha256. Delete that blob if it is the wrong one."
    say "   $archive_blob is in $data_account"
    return
  fi
  if [[ -n $ilastik_archive ]]; then
    archive_file=$ilastik_archive
  else
    download_archive
  fi
  archive_sha256=$(digest file "$archive_file")
  local expected=$ilastik_sha256
  [[ -n $expected ]] || expected=$(known_digest)
  if [[ -z $expected ]]; then
    warn "The SHA-256 of ilastik $ilastik_version is taken as $archive_sha256 from now on; --ilastik-sha256 insists on one."
  elif [[ $archive_sha256 != "$expected" ]]; then
    [[ -n $ilastik_archive ]] || rm -f -- "$archive_file"
    fail "The archive of ilastik $ilastik_version has the SHA-256 $archive_sha256 instead of $expected. It is not used. If you know it to be right: --ilastik-sha256 $archive_sha256"
  fi
}

# The digest that is on record for this version; nothing where none is.
known_digest() {
  sed -n "s/^\([0-9a-f]\{64\}\)  ilastik-${ilastik_version//./\\.}-Linux\.tar\.bz2\$/\1/p" "$here/ilastik.sha256"
}

download_archive() {
  local cache name=ilastik-$ilastik_version-Linux.tar.bz2 tries=0
  cache=$(cache_folder)
  archive_file=$cache/$name
  [[ ! -f $archive_file ]] || return 0
  mkdir -p "$cache"
  say "   downloads $name (about 650 MB, once; an interrupted download goes on where it stopped)"
  until curl --fail --location --silent --show-error --retry 5 --continue-at - --output "$archive_file.partial" \
    "https://files.ilastik.org/$name"; do
    # It tries again what the server says, but not where the server said nothing.
    (($? == 52 && tries++ < 2)) ||
      fail "https://files.ilastik.org/$name could not be downloaded; curl's own message is above. Run this again, or give the file with --ilastik-archive."
  done
  mv -- "$archive_file.partial" "$archive_file"
}

stage_archive() {
  local stored
  stored_digest stored "$archive_blob"
  [[ $stored != "$archive_sha256" ]] || return 0
  say "   mirrors ilastik $ilastik_version into $data_account/tools, from where every node takes it"
  patiently "Uploading ilastik" upload_tool "$archive_file" "$archive_blob" "$archive_sha256"
  changed=1
}
