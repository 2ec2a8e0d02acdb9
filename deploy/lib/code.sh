# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The function app's code: built here, deployed as it is. Sourced by deploy.sh.
#
# `az functionapp deployment source config-zip` asks for a remote build of every Python app on Flex Consumption,
# whatever one tells it; the app's own publishing address takes the same zip without one.

readonly FUNCTIONS=3
readonly PACKAGE_RECORD=deployed/app.zip

functions_listed() { # variable
  lookup "$1" functionapp function list --resource-group "$group" --name "$app" --query 'length(@)'
}

deploy_code() {
  local zip=$work/app.zip sha stored listed
  say "   builds the package for Linux and Python 3.13"
  sha=$("$python" "$here/package.py" --out "$zip") || fail "The code package could not be built; the reason is above."
  stored_digest stored "$PACKAGE_RECORD"
  functions_listed listed
  if [[ $redeploy == no && $stored == "$sha" && $listed == "$FUNCTIONS" ]]; then
    say "   the app has this code already"
    return
  fi
  say "   deploys $(($(wc -c <"$zip") / 1000000)) MB to $app"
  patiently "Deploying the code" publish "$zip"
  wait_for_functions
  # Only now: a record of what was not deployed would hide that.
  patiently "Keeping a copy of the package" upload_tool "$zip" "$PACKAGE_RECORD" "$sha"
  changed=1
}

# The token reaches curl by a file descriptor: a command line can be read by everyone on this machine.
with_token() {
  local token
  token=$(az account get-access-token --resource "$ARM" --query accessToken --only-show-errors --output tsv) || return
  curl --silent --show-error --config <(printf 'header = "Authorization: Bearer %s"\n' "$token") "$@"
}

publish() { # zip
  local scm code status tries=0
  scm=$(az functionapp show --resource-group "$group" --name "$app" --only-show-errors --output tsv \
    --query "hostNameSslStates[?hostType=='Repository'].name | [0]") || return
  code=$(with_token --request POST --header 'Content-Type: application/zip' --data-binary "@$1" \
    --output "$work/published" --write-out '%{http_code}' \
    "https://$scm/api/publish?RemoteBuild=false&Deployer=ilastik-batch") || return
  case $code in
    200 | 202) ;;
    409)
      echo "Another deployment of the code is under way: try again." >&2
      return 1
      ;;
    *)
      echo "The publishing address answered $code: $(head -c 2000 "$work/published")" >&2
      return 1
      ;;
  esac
  while ((tries++ < 300)); do
    with_token --output "$work/published" "https://$scm/api/deployments/latest" || return
    status=$("$python" -ISc 'import json, sys; print(json.load(open(sys.argv[1])).get("status"))' "$work/published") || status=
    case $status in
      4) return ;;
      -1 | 3 | 5 | 6)
        echo "The deployment of the code failed: $(head -c 2000 "$work/published")" >&2
        return 1
        ;;
    esac
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
    sleep "$PAUSE"
    functions_listed listed
  done
}
