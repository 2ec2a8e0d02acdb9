# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# What would stop the deployment half-way is looked for before anything is made. Sourced by deploy.sh.

readonly AZ_AT_LEAST=2.75.0
# Microsoft.Compute: for the look at the image.
readonly PROVIDERS=(Microsoft.Batch Microsoft.Compute Microsoft.Consumption Microsoft.EventGrid Microsoft.Insights
  Microsoft.ManagedIdentity Microsoft.OperationalInsights Microsoft.Storage Microsoft.Web)

# For the network of --private; Microsoft.App: for the app's subnet.
readonly NETWORK_PROVIDERS=(Microsoft.App Microsoft.Network)

problems=()
problem() { problems+=("$*"); }

check_programs() {
  local name version
  [[ -z ${ACC_CLOUD:-} ]] ||
    warn "Cloud Shell ends after 20 minutes in which nobody types: press a key now and then. If it does end, run the same command again; it goes on where it was."
  for name in az curl; do
    command -v "$name" >/dev/null || fail "The program '$name' is missing. Azure CLI: https://aka.ms/azure-cli"
  done
  python=
  for name in "${PYTHON:-}" python3.13 python3.12 python3 python3.11; do
    if [[ -n $name ]] && "$name" -c 'import sys, importlib.util as u; sys.exit(sys.version_info < (3, 11) or not u.find_spec("pip"))' 2>/dev/null; then
      python=$name
      break
    fi
  done
  [[ -n $python ]] || fail "Python 3.11 or later with pip is needed here, for packing the code."
  lookup version version --query '"azure-cli"'
  [[ $(printf '%s\n' "$AZ_AT_LEAST" "$version" | sort -V | head -n 1) == "$AZ_AT_LEAST" ]] ||
    fail "Azure CLI $version is too old; $AZ_AT_LEAST or later is needed. Run: az upgrade"
}

check_login() {
  local token name
  if [[ -n $subscription ]]; then
    az account set --subscription="$subscription" --only-show-errors ||
      fail "There is no subscription '$subscription' for this login. See: az account list --output table"
  fi
  subscription=$(az account show --query id --only-show-errors --output tsv) || fail "You are not logged in. Run: az login"
  lookup name account show --query name
  say "Subscription: $name ($subscription)"
  find_cloud
  steadily "$work/token" account get-access-token --query accessToken --only-show-errors --output tsv || {
    cat "$work/error" >&2
    fail "Your login gives no token; the message is above. If it has expired: az login"
  }
  read -r me my_type my_tenant < <(answers who <"$work/token")
  rm -f -- "$work/token"
}

check_location() {
  local known
  [[ -n $location ]] || location=$group_location
  [[ -n $location ]] ||
    fail "The resource group '$group' does not exist yet: say where to make it, as in --location westeurope."
  lookup known account list-locations --query "[?name=='$location'].name | [0]"
  [[ -n $known ]] || fail "There is no region '$location'. See: az account list-locations --query '[].name'"
}

# Names of what is there already: data_account, batch_account, topic; topic_tags, as JSON, of one that is not ours.
find_existing() {
  local found part name where owner
  data_account='' batch_account='' topic='' topic_tags=''
  [[ -n $group_location ]] || return 0
  # `--tag` and `--resource-group` exclude each other.
  lookup found resource list --resource-group "$group" \
    --query '[?tags."ilastik-batch-part"].[tags."ilastik-batch-part", name, location, tags."ilastik-batch"]'
  while IFS=$'\t' read -r part name where owner; do
    case $part in
      data) data_account=$name ;;
      batch) batch_account=$name ;;
      *) continue ;;
    esac
    [[ $owner == "$mark" ]] ||
      problem "'$group' has a deployment with another --prefix ($name belongs to it); take another resource group."
    [[ $where == "$location" ]] ||
      problem "The deployment in '$group' is in $where ($name), which cannot move to $location; take another resource group."
  done <<<"$found"
  [[ -z $data_account ]] || find_topic "$data_account"
}

# An account can have one topic only; a security product may have made it. Whose it is, its tags say.
find_topic() { # data account
  local found owner
  topic_tags=
  lookup found eventgrid system-topic list --resource-group "$group" \
    --query "[?ends_with(source, '/storageAccounts/$1')] | [0].[name, tags.\"ilastik-batch\" || '-']"
  read -r topic owner <<<"${found//$'\n'/ }"
  ! is_nothing "$topic" || topic=
  [[ -n $topic && $owner == - ]] || return 0
  fetch "$work/topic-tags.json" eventgrid system-topic list --resource-group "$group" \
    --query "[?name=='$topic'] | [0].tags || \`{}\`"
  topic_tags=$(<"$work/topic-tags.json")
}

check_permissions() {
  local scope=/subscriptions/$subscription line
  [[ -z $group_location ]] || scope+=/resourceGroups/$group
  fetch_list "$work/permissions.json" "$arm$scope/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
  while read -r line; do
    [[ -z $line ]] || problem "You may not $line on $scope. Ask its owner."
  done < <(answers permissions "${parameter[healNodesPerDay]}" "${parameter[deleteLock]}" <"$work/permissions.json")
}

check_providers() {
  local name registered needed=("${PROVIDERS[@]}")
  ! is_private || needed+=("${NETWORK_PROVIDERS[@]}")
  lookup registered provider list --query "[?registrationState=='Registered'].namespace"
  unregistered=()
  for name in "${needed[@]}"; do
    grep -qixF -- "$name" <<<"$registered" || unregistered+=("$name")
  done
}

is_private() { [[ ${parameter[private],,} == true ]]; }

# Each takes about a minute: all begin before any is waited for.
register_providers() {
  local name tries=0
  say "   registers with the subscription: ${unregistered[*]}"
  for name in "${unregistered[@]}"; do change "Registering $name" provider register --namespace "$name"; done
  check_providers
  until ((${#unregistered[@]} == 0)); do
    ((tries++ < MOST_TRIES)) ||
      fail "Azure has not registered ${unregistered[*]} yet; see: az provider list --output table. Run this again: what is done stays done."
    ((tries % 2 != 0)) || say "   still waits for: ${unregistered[*]}"
    sleep "$PAUSE"
    check_providers
  done
}

is_registered() { [[ " ${unregistered[*]} " != *" $1 "* ]]; } # provider

# The app runs on Flex Consumption, which not every region has, nor every version of Python there.
check_functions() {
  local versions
  if ! is_registered Microsoft.Web; then
    say "   Function apps can be looked up only when this subscription has been registered for them."
  elif steadily "$work/answer" functionapp list-flexconsumption-runtimes --location "$location" --runtime python \
    --query '[].version' --only-show-errors --output tsv; then
    versions=$(<"$work/answer")
    grep -qxF 3.13 <<<"$versions" ||
      problem "Azure Functions has no Python 3.13 on Flex Consumption in $location, but: ${versions//$'\n'/, }. Take another region: az functionapp list-flexconsumption-locations"
  elif grep -q 'not supported for function apps on the Flex Consumption plan' "$work/error"; then
    problem "Azure Functions has no Flex Consumption plan for Python in $location. Take another region: az functionapp list-flexconsumption-locations"
  else
    not_known "whether function apps can be made in $location: $(tail -n 1 "$work/error")"
  fi
}

check_names() {
  local name existing answer
  is_registered Microsoft.Storage || return 0
  for name in "${prefix}data$suffix" "${prefix}host$suffix"; do
    existing=
    [[ -z $group_location ]] ||
      lookup existing storage account show --name "$name" --resource-group "$group" --query name
    [[ -z $existing ]] || continue
    lookup answer storage account check-name --name "$name" --query '[[nameAvailable, message]]'
    [[ $answer == [Tt]rue* ]] ||
      problem "The storage account's name $name cannot be had (${answer#*$'\t'}). Take another --prefix."
  done
}

# A removed workspace for logs comes back when it is made again where it was; elsewhere Azure keeps its name for 14 days.
check_removed_names() {
  local name=$prefix-logs-$suffix found where=()
  is_registered Microsoft.OperationalInsights || return 0
  [[ -z $group_location ]] || where=(--resource-group "$group")
  if_allowed "whether the name $name is free" lookup found monitor log-analytics workspace list-deleted-workspaces \
    "${where[@]}" --query "[?name=='$name'].location | [0]" || return 0
  found=${found,,}
  is_nothing "$found" || [[ ${found// /} == "$location" ]] ||
    problem "The workspace for logs, $name, was removed in ${found// /}, and Azure keeps its name there for 14 days. Take --location ${found// /}, another --prefix or another resource group; or remove it for good: az monitor log-analytics workspace recover --resource-group $group --workspace-name $name; then az monitor log-analytics workspace delete --force with the same names."
}

check_files() {
  digest tools >"$work/tools" || fail "A script that nodes need is missing in this clone; the message is above."
  if [[ -n $project ]]; then
    [[ -f $project ]] || problem "There is no file '$project' (--project)."
    [[ $project == *.ilp ]] || problem "'$project' (--project) is no project of ilastik: its name does not end in .ilp."
  fi
  [[ -z $ilastik_archive || -f $ilastik_archive ]] || problem "There is no file '$ilastik_archive' (--ilastik-archive)."
}

tell_problems() {
  ((${#problems[@]} > 0)) || return 0
  printf '\nNothing was made. %d thing(s) stand in the way:\n' "${#problems[@]}" >&2
  printf ' - %s\n' "${problems[@]}" >&2
  exit 1
}
