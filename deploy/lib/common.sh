# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# Talking to people and to Azure. Sourced by deploy.sh.

# Seconds between two tries of what needs time to spread through Azure, and how often it is tried.
readonly PAUSE="${ILASTIK_BATCH_PAUSE:-15}"
readonly MOST_TRIES="${ILASTIK_BATCH_TRIES:-60}"
readonly MOST_PAGES=500
readonly SHORT_PAUSE="$((PAUSE > 5 ? 5 : PAUSE))"
# What tells that something is not there; "not found" alone is also said of subscriptions, endpoints and kinds of resources.
readonly MISSING='\((NotFound|ResourceNotFound|ResourceGroupNotFound|DeploymentNotFound|PlatformImageNotFound)\)|\bBlobNotFound\b|"code": ?"(404|NotFound|ResourceNotFound|PoolNotFound)"'
# What passes by itself: roles that have not spread, names of what was just made, other work that is under way.
readonly NO_ROLE_YET='\b(AuthorizationFailed|LinkedAuthorizationFailed|AuthorizationPermissionMismatch|PrincipalNotFound|RoleDefinitionHasAssignments)\b|not have .*permission|forbidden|\b403\b|does not exist in the directory'
readonly NO_NAME_YET='Could not resolve host|Name or service not known|Failed to resolve|getaddrinfo|Failed to establish a new connection|The specified resource does not exist|ErrorCode:(Resource|Container|Table)NotFound'
# How storage says that its firewall does not let an address in; a new rule takes up to a minute.
readonly SHUT_OUT='blocked by network rules|\bAuthorizationFailure\b'
readonly NOT_YET="$NO_ROLE_YET|$NO_NAME_YET|$SHUT_OUT|\b(TooManyRequests|DeploymentActive)\b|try again|throttl|timed? ?out|temporar"
# What passes within seconds. Much of the Azure CLI tries again by itself, but not `az rest`, nor what signs in: of that it
# tells the status alone, and nothing where Entra answers 429, which is no JSON.
readonly SIGN_IN_BUSY='JSONDecodeError: Expecting value'
readonly BUSY="$SIGN_IN_BUSY"'|\b(TooManyRequests|SubscriptionRequestsThrottled|InternalServerError|InternalError|ServiceUnavailable|ServerBusy|GatewayTimeout)\b|\bHTTP Error: 5[0-9][0-9]\b|Bad Gateway|Connection aborted|RemoteDisconnected|curl: \((52|55|56)\)'
# What somebody may not look at; the last is how `az rest` says it.
readonly NOT_ALLOWED='\((AuthorizationFailed|Forbidden)\)|\b403\b|\bForbidden\('
# What does not pass, whatever else the message says.
readonly FOREVER='\b(RequestDisallowedByPolicy|QuotaExceeded|SkuNotAvailable|InvalidTemplate)\b'

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
warn() { printf 'Note: %s\n' "$*" >&2; }
fail() {
  printf '\nStopped: %s\n' "$*" >&2
  exit 1
}

is_nothing() { [[ -z $1 || $1 == None || $1 == null ]]; } # the CLI prints None for a null in a row

# Sets arm to the address of Azure Resource Manager in this login's cloud.
find_cloud() {
  lookup arm cloud show --query endpoints.resourceManager
  arm=${arm%/}
  [[ $arm == https://management.azure.com ]] ||
    warn "This was written for Azure's public cloud. In the cloud of $arm the app, the nodes or the doctor may ask addresses of the public one."
  [[ $arm == https://* ]] || fail "The Azure CLI does not say where its cloud is ('$arm'). See: az cloud show"
}

# Puts Azure's answer, one bare word or line, into a variable: empty where there is no such thing. Any other fault
# ends the script, which it could not do from within $(...).
lookup() { # variable, question
  local _variable=$1
  shift
  if ! steadily "$work/answer" "$@" --only-show-errors --output tsv; then
    if ! grep -qiE "$MISSING" "$work/error"; then
      ! stays_unknown || return 1
      cat "$work/error" >&2
      fail "Azure did not answer 'az $1 $2 $3'; its own message is above. Run this again: what is done stays done."
    fi
    : >"$work/answer"
  fi
  printf -v "$_variable" '%s' "$(<"$work/answer")"
}

# Asks up to three times where only a busy service or a broken connection is in the way; errors are in $work/error.
steadily() { # file for the answer, question
  local answer=$1 tries=0
  shift
  until az "$@" >"$answer" 2>"$work/error"; do
    ((tries++ < 2)) && is_busy || return 1
    wait_while_busy
  done
}

# The CLI keeps Entra's 429 for the minute that it asks for, and asks nobody until then.
wait_while_busy() {
  if grep -q "$SIGN_IN_BUSY" "$work/error"; then
    warn "The sign-in is busy; it is asked again in a minute."
    sleep "$((4 * PAUSE))"
  else
    sleep "$SHORT_PAUSE"
  fi
}

is_busy() { grep -qE "$BUSY" "$work/error" && ! grep -qE "$MISSING|$FOREVER" "$work/error"; }

# The same for whole documents, into a file.
fetch() { # file, question
  local file=$1
  shift
  steadily "$file" "$@" --only-show-errors --output json || {
    ! stays_unknown || return 1
    cat "$work/error" >&2
    fail "Azure did not answer 'az $1 $2 $3'; its own message is above. Run this again: what is done stays done."
  }
}

# lookup or fetch of what a run can do without: where that may not be looked at, it says so and gives 1.
if_allowed() { # what would be known, as words for people; then lookup or fetch and its words
  local unknown=$1
  shift
  "$@"
}

stays_unknown() {
  [[ -n ${unknown:-} ]] && grep -qE "$NOT_ALLOWED" "$work/error" && not_known "$unknown: $(tail -n 1 "$work/error")"
}

not_known() { warn "It is not known $*"; }

# A list to its end, {"value": [...]}, into a file: `az rest` itself reads the first page only.
fetch_list() { # file, address
  read_list "$@" || {
    fail "Azure did not answer 'az rest --url $2'; its own message is above. Run this again: what is done stays done."
  }
}

read_list() { # file, address; then more words for az
  local file=$1 address=$2 host pages=0
  host=$(grep -oE '^https://[^/]+/' <<<"$address")
  shift 2
  printf '{"value": []}' >"$file"
  while [[ -n $address ]]; do
    # The token goes along.
    if [[ $address != "$host"* ]] || ((pages++ >= MOST_PAGES)); then
      echo "The list of $host does not end, or goes on elsewhere: after $pages pages at $address" >&2
      return 1
    fi
    steadily "$work/page.json" rest --method get --url "$address" "$@" --only-show-errors --output json || {
      cat "$work/error" >&2
      return 1
    }
    address=$(answers gather "$file" <"$work/page.json") || return
  done
}

# Changes something, or ends the script.
change() { # what it is, as words for people; then the command
  local what=$1
  shift
  steadily /dev/null "$@" --only-show-errors --output none || {
    cat "$work/error" >&2
    fail "$what did not work; Azure's own message is above. When it is put right, run this again: what is done stays done."
  }
}

# Tries a command until it succeeds, as roles take minutes until every part of Azure knows them.
patiently() { # what it is, as words for people; then the command
  local what=$1 tries=0 busy=0
  shift
  until with_progress "$what" "$@" 2>"$work/failed"; do
    mv -- "$work/failed" "$work/error"
    if ((busy < 2)) && is_busy; then
      busy=$((busy + 1))
      say "   $what: Azure is busy, or the connection broke; it is tried again."
      wait_while_busy
      continue
    fi
    tries=$((tries + 1))
    if ((tries >= MOST_TRIES)) || grep -qE "$FOREVER" "$work/error" || ! grep -qiE "$NOT_YET" "$work/error" ||
      { ((tries >= 8)) && is_shut_out; }; then
      cat "$work/error" >&2
      ! grep -q RequestDisallowedByPolicy "$work/error" ||
        fail "$what is forbidden by a policy of your organisation: $(policy_of "$work/error"). Ask who looks after the subscription for an exemption, or take another one; then run this again."
      ! is_shut_out ||
        fail "$what is stopped by the storage account's firewall. The public address from which this runs must be among --allowed-addresses, or be allowed in the portal (the account, Networking); then run this again: what is done stays done."
      fail "$what did not work; Azure's own message is above. When it is put right, run this again: what is done stays done."
    fi
    if ((tries == 1)); then
      say "   $what: not yet possible, and tried again. $(why_not_yet)"
    elif ((tries % 2 == 0)); then
      say "   $what: still not possible after $tries tries: $(first_line)"
    fi
    sleep "$PAUSE"
  done
}

is_shut_out() { grep -qE "$SHUT_OUT" "$work/error"; }

# A sentence on what is waited for, from the error.
why_not_yet() {
  if grep -qiE "$NO_NAME_YET" "$work/error"; then
    printf 'What was just made takes minutes until its address is known everywhere.'
  elif is_shut_out; then
    printf 'The firewall of the storage account does not let this address in; a new rule takes a minute.'
  elif grep -qiE "$NO_ROLE_YET" "$work/error"; then
    printf 'New roles take up to fifteen minutes to spread.'
  else
    first_line
  fi
}

first_line() { grep -m 1 . "$work/error" | head -c 200; }

# Says every minute that a command is still at work. What it waits with keeps none of this script's output open.
with_progress() { # what it is, as words for people; then the command
  local what=$1 ticker code=0
  shift
  (
    minutes=0
    while sleep 60 >/dev/null 2>&1; do say "   $what: still at work after $((++minutes)) min"; done
  ) 2>/dev/null &
  ticker=$!
  "$@" || code=$?
  # No other signal: a shell that has just begun would still run the script's own clean-up at its end.
  kill -KILL "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return "$code"
}

policy_of() { # file with Azure's message
  local name
  name=$(grep -oE 'policyAssignment\\*": *\{ *\\*"name\\*": *\\*"[^"\\]+' "$1" | head -n 1) || true
  printf '%s' "${name:+\"${name##*\"}\"}"
  [[ -n $name ]] || printf 'its name is in the message above'
}

# What is worth keeping from one run to the next on this machine.
cache_folder() { printf '%s' "${ILASTIK_BATCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ilastik-batch}"; }

budget_url() { # prefix
  printf '%s' "$arm/subscriptions/$subscription/resourceGroups/$group" \
    "/providers/Microsoft.Consumption/budgets/$1-budget?api-version=2024-08-01"
}

# The custom role of --heal: its name says whose it is, its id follows from the resource group's. Azure's own are hundreds.
roles_url() { # id, or nothing for all of somebody's own
  printf '%s' "$arm/subscriptions/$subscription/resourceGroups/$group" \
    "/providers/Microsoft.Authorization/roleDefinitions${1:+/$1}?api-version=2022-04-01"
  [[ -n ${1:-} ]] || printf '%s' "&\$filter=type%20eq%20'CustomRole'"
}

# A lock of a resource, or all of the group: above it, on it, and on what is in it.
locks_url() { # name of the lock and id of the resource, or nothing
  local scope=${2:-/subscriptions/$subscription/resourceGroups/$group}
  printf '%s' "$arm$scope/providers/Microsoft.Authorization/locks${1:+/$1}?api-version=2020-05-01"
}

answers() { "$python" -IS "$here/lib/answers.py" "$@"; }
digest() { "$python" -IS "$here/lib/digests.py" "$@"; }
