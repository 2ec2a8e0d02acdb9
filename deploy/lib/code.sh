# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The function app's code: built here, deployed as it is. Sourced by deploy.sh.
#
# `az functionapp deployment source config-zip` asks for a remote build of every Python app on Flex Consumption,
# whatever one tells it; the app's own publishing address takes the same zip without one.

readonly FUNCTIONS=4
readonly PACKAGE_RECORD=deployed/app.zip

# An app without code may have no host that could tell: that is no function either.
functions_listed() { # variable
  local _told _code=0
  _told=$(az functionapp function list --resource-group "$group" --name "$app" --query 'length(@)' \
    --only-show-errors --output tsv 2>"$work/error") || _code=$?
  if ((_code != 0)); then
    if ! grep -qiE "$MISSING|host runtime|ServiceUnavailable|BadGateway|InternalServerError" "$work/error"; then
      cat "$work/error" >&2
      fail "Azure did not list the functions of $app; its own message is above. Run this again: what is done stays done."
    fi
    _told=0
  fi
  printf -v "$1" '%s' "$_told"
}

# Before anything is made: without a package nothing else is of use.
build_code() {
  say "   builds the code package for Linux and Python 3.13"
  package_sha256=$("$python" "$here/package.py" --out "$work/app.zip") ||
    fail "The code package could not be built; the reason is above. Nothing was made."
}

deploy_code() {
  local zip=$work/app.zip stored listed
  stored_digest stored "$PACKAGE_RECORD"
  functions_listed listed
  if [[ $redeploy == no && $stored == "$package_sha256" && $listed == "$FUNCTIONS" ]]; then
    say "   the app has this code already"
    return
  fi
  lookup scm functionapp show --resource-group "$group" --name "$app" \
    --query "(properties.hostNameSslStates || hostNameSslStates)[?hostType=='Repository'].name | [0]"
  ! is_nothing "$scm" || fail "Azure does not tell the publishing address of $app. Run this again."
  say "   deploys $(($(wc -c <"$zip") / 1000000)) MB to $app"
  patiently "Deploying the code" publish "$zip"
  wait_for_functions
  # Only now: a record of what was not deployed would hide that.
  patiently "Keeping a copy of the package" upload_tool "$zip" "$PACKAGE_RECORD" "$package_sha256"
  changed=1
}

# Asks the publishing address, by a token for it, or for Azure Resource Manager where it takes that one only. Sets
# status; 000 where the address of a fresh app is not known or does not answer yet. The token reaches curl by a file
# descriptor: a command line can be read by everyone on this machine.
ask_publishing() { # path; then curl's options
  local path=$1 audience token failed unknown=no
  shift
  for audience in https://appservice.azure.com "$arm"; do
    if ! token=$(az account get-access-token --resource "$audience" --query accessToken --only-show-errors \
      --output tsv 2>"$work/refused"); then
      # A tenant or a cloud may not know that one.
      [[ $audience == "$arm" ]] || ! grep -q AADSTS "$work/refused" || continue
      cat "$work/refused" >&2
      return 1
    fi
    failed=0
    status=$(curl --silent --show-error --config <(printf 'header = "Authorization: Bearer %s"\n' "$token") \
      --output "$work/published" --write-out '%{http_code}' "$@" "https://$scm$path") || failed=$?
    case $failed in
      0) ;;
      # No such host, no connection, no answer in time, no TLS, no answer at all.
      6 | 7 | 28 | 35 | 52) status=000 ;;
      *) return "$failed" ;;
    esac
    [[ $status == 40[134] ]] || return 0
    [[ $status != 404 ]] || unknown=yes
  done
  # A fresh app may not know one token and not yet the path.
  [[ $unknown == no ]] || status=404
}

publish() { # zip
  local status id state tries=0
  ask_publishing '/api/publish?RemoteBuild=false&Deployer=ilastik-batch' --request POST \
    --header 'Content-Type: application/zip' --data-binary "@$1" || return
  case $status in
    200 | 202) ;;
    000)
      echo "The publishing address does not answer; a fresh app takes minutes: try again." >&2
      return 1
      ;;
    404 | 409 | 429 | 5*)
      echo "The publishing address answered $status; a fresh app takes minutes, and another deployment may be under way: try again." >&2
      return 1
      ;;
    *)
      echo "The publishing address answered $status: $(head -c 2000 "$work/published")" >&2
      return 1
      ;;
  esac
  id=$(tr -d '" \r\n' <"$work/published")
  if [[ ! $id =~ ^[A-Za-z0-9-]+$ ]]; then
    echo "The publishing address did not tell the deployment's id: $(head -c 2000 "$work/published")" >&2
    return 1
  fi
  while ((tries++ < 5 * MOST_TRIES)); do
    ask_publishing "/api/deployments/$id" || return
    # Not known yet, or the site is about to start anew.
    state=
    [[ $status != 20[02] ]] ||
      state=$("$python" -ISc 'import json, sys; print(json.load(open(sys.argv[1])).get("status"))' "$work/published" 2>/dev/null) || state=
    case $state in
      4) return ;;
      -1 | 3 | 5 | 6)
        echo "The deployment of the code failed: $(head -c 2000 "$work/published")" >&2
        return 1
        ;;
    esac
    ((tries % 15 != 0)) || say "   the app has not taken it up yet"
    sleep "$((PAUSE > 2 ? 2 : PAUSE))"
  done
  echo "The deployment of the code did not end within ten minutes." >&2
  return 1
}

wait_for_functions() {
  local tries=0 listed
  functions_listed listed
  until [[ $listed == "$FUNCTIONS" ]]; do
    ((tries++ < MOST_TRIES)) ||
      fail "The app $app has the code, but does not show its $FUNCTIONS functions. Its log stream in the portal says why; then run this again with --redeploy."
    ((tries % 2 != 0)) || say "   the app shows $listed of its $FUNCTIONS functions so far"
    sleep "$PAUSE"
    functions_listed listed
  done
}
