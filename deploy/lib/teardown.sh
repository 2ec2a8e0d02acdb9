# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# Removes what a deployment made, and nothing else. Sourced by deploy.sh.

# In this order: what sends and works first, what it works on last.
readonly REMOVED=(
  Microsoft.Network/privateEndpoints Microsoft.Network/privateDnsZones/virtualNetworkLinks Microsoft.Network/privateDnsZones
  Microsoft.EventGrid/systemTopics Microsoft.Web/sites Microsoft.Web/serverFarms
  microsoft.alertsmanagement/smartDetectorAlertRules Microsoft.Insights/metricAlerts Microsoft.Insights/scheduledQueryRules Microsoft.Insights/actionGroups
  Microsoft.Batch/batchAccounts Microsoft.Insights/components Microsoft.OperationalInsights/workspaces
  Microsoft.Network/virtualNetworks Microsoft.Network/networkSecurityGroups
  Microsoft.ManagedIdentity/userAssignedIdentities
)

# As modules/storage.bicep names it.
readonly LOCK=ilastik-batch-keep

teardown() {
  local found name account account_id kept=''
  lookup found group show --name "$group" --query name
  [[ -n $found ]] || fail "There is no resource group '$group'."
  lookup found resource list --resource-group "$group" --query '[?tags."ilastik-batch"].[type, id, name]'
  if [[ -z $found ]]; then
    say "There is nothing of ilastik-batch in '$group'."
    return
  fi
  printf '%s\n' "$found" >"$work/resources"
  add_what_azure_made
  lookup account resource list --resource-group "$group" --query "[?tags.\"ilastik-batch-part\"=='data'].name | [0]"
  [[ $delete_results == yes ]] || kept=$account
  account_id=$(awk -F '\t' -v name="$account" '$1 ~ /storageAccounts$/ && $3 == name {print $2}' "$work/resources")
  find_locks "$account_id"
  say "This removes from the resource group '$group':"
  while IFS=$'\t' read -r _ _ name; do
    [[ $name == "$kept" ]] || say "   $name"
  done <"$work/resources"
  if [[ -n $kept ]]; then
    say "The storage account $kept stays, with images, classifiers, results and the table of files."
  else
    say "With it go ALL IMAGES, CLASSIFIERS AND RESULTS."
  fi
  confirm
  [[ -z $locked ]] || change "Taking the lock off $account" rest --method delete --url "$(locks_url "$locked" "$account_id")"
  # Before the roles of a topic that stays are looked for, and while the account is there.
  leave_topic "$(awk -F '\t' '$1 ~ /storageAccounts$/ {print $3}' "$work/resources")"
  [[ -z $kept ]] || remove_roles_on "$kept"
  remove_budget
  remove_resources "$kept" "${REMOVED[@]}"
  remove_healer
  remove_sign_in "$owner_mark"
  # By what is left a teardown that broke off goes on.
  remove_resources "$kept" Microsoft.Storage/storageAccounts
  [[ -z $kept ]] || lock_again "$kept" "$account_id"
  say "Removed."
}

# Azure removes nothing that is locked, nor roles on it. Sets locked to the name of the template's own lock, where there
# is one: with the account it stays, and is lifted for what is to go.
find_locks() { # id of the data account
  locked=
  if ! read_list "$work/locks.json" "$(locks_url)" 2>"$work/refused"; then
    if grep -qE "$NOT_ALLOWED" "$work/refused"; then
      not_known "whether any of this is locked, which Azure would not remove: $(tail -n 1 "$work/refused")"
      return
    fi
    cat "$work/refused" >&2
    fail "Azure did not tell what is locked; its own message is above. Nothing was removed. Run this again."
  fi
  cut -f 2 "$work/resources" >"$work/ids"
  answers locks "$1" "$work/ids" <"$work/locks.json" >"$work/locks"
  locked=$(head -n 1 "$work/locks")
  [[ -z $locked || $delete_results == no ]] ||
    fail "The account with images and results is locked, so that nobody deletes it by mistake. Nothing was removed. To delete it, take the lock off: az lock delete --ids $1/providers/Microsoft.Authorization/locks/$locked; then run this again."
  [[ -z $(tail -n +2 "$work/locks") ]] ||
    fail "Somebody has locked what is to go; Azure would not remove it. Nothing was removed. Take these locks off with az lock delete --ids, then run this again: $(tail -n +2 "$work/locks" | tr '\n' ' ')"
}

# A teardown that broke off may have taken the lock off: the last deployment says that there was to be one.
lock_again() { # the account that is kept, its id
  local wanted
  lookup wanted deployment group list --resource-group "$group" \
    --query "[?name=='$DEPLOYMENT'].properties.parameters.deleteLock.value | [0]"
  [[ -n $locked || $wanted == true ]] || return 0
  say "   locks $1 again"
  printf '{"properties": {"level": "CanNotDelete", "notes": "Kept when ilastik-batch was removed."}}' >"$work/lock.json"
  change "Locking $1" rest --method put --url "$(locks_url "$LOCK" "$2")" --body "@$work/lock.json"
}

# Application Insights gets an alert by itself, and a group's first one an action group, which all of the group share:
# they have none of its tags, and stay when it goes.
add_what_azure_made() {
  local name found others
  name=$(awk -F '\t' 'tolower($1) == "microsoft.insights/components" {print $3}' "$work/resources")
  [[ -n $name ]] || return 0
  lookup found resource list --resource-group "$group" --query "[?name=='Failure Anomalies - $name'].[type, id, name]"
  [[ -z $found ]] || printf '%s\n' "$found" >>"$work/resources"
  lookup others resource list --resource-group "$group" \
    --query "[?ends_with(type, 'nsights/components') && name!='$name'] | length(@)"
  [[ $others == 0 ]] || return 0
  lookup found resource list --resource-group "$group" \
    --query "[?name=='Application Insights Smart Detection'].[type, id, name]"
  [[ -z $found ]] || printf '%s\n' "$found" >>"$work/resources"
}

# A topic that somebody else made for the account stays, with its tags; what was added to it goes.
leave_topic() { # accounts, a line each
  local account name found
  while read -r account; do
    [[ -n $account ]] || continue
    find_topic "$account"
    [[ -n $topic_tags ]] || continue
    say "   the topic $topic stays, as somebody else made it; its subscriptions to the queue go"
    for name in images zarrs projects; do
      change "Removing the subscription $name" rest --method delete --url "$(topic_url "$topic" "$name")"
    done
    lookup found eventgrid system-topic list --resource-group "$group" --query "[?name=='$topic'].[type, id, name]"
    printf '%s\n' "$found" >"$work/holders"
  done <<<"$1"
}

topic_url() { # topic, subscription
  printf '%s' "$arm/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.EventGrid" \
    "/systemTopics/$1/eventSubscriptions/$2?api-version=2025-02-15"
}

confirm() {
  local typed=
  [[ $assume_yes == no ]] || return 0
  read -r -p "Type the name of the resource group to go on: " typed || true
  [[ $typed == "$group" ]] || fail "Nothing was removed."
}

remove_resources() { # name to keep, types
  local wanted type id name
  for wanted in "${@:2}"; do
    while IFS=$'\t' read -r type id name <&3; do
      [[ ${type,,} == "${wanted,,}" && $name != "$1" ]] || continue
      say "   removes $name"
      change "Removing $name" resource delete --ids "$id"
    done 3<"$work/resources"
  done
}

# A budget is no resource of the group's list, and has no tags: its name follows from the mark of the others.
remove_budget() {
  local url
  lookup owner_mark resource list --resource-group "$group" --query '[?tags."ilastik-batch"].tags."ilastik-batch" | [0]'
  url=$(budget_url "${owner_mark%"$(digest suffix "$subscription" "$group")"}")
  if steadily /dev/null rest --method get --url "$url" --only-show-errors --output none; then
    change "Removing the budget" rest --method delete --url "$url"
  elif ! grep -qiE "$MISSING" "$work/error"; then
    # Some kinds of subscription have no budgets at all.
    warn "Azure does not tell whether there is a budget; look under Cost Management, Budgets, of the group '$group'."
  fi
}

# The role of --heal is no resource of the group's list either. While somebody has it, it can't go.
remove_healer() {
  local role name="ilastik-batch pool healer $owner_mark"
  if ! read_list "$work/roles.json" "$(roles_url)" 2>"$work/refused"; then
    warn "Azure does not tell whether there is a custom role '$name'; look under Access control, Roles, of the group '$group'."
    return
  fi
  role=$(answers role "$name" <"$work/roles.json")
  [[ -z $role ]] || patiently "Removing the role that removes broken nodes" \
    az rest --method delete --url "$(roles_url "$role")" --only-show-errors --output none
}

# Roles of identities that are about to go would stay on the account that is kept, as "identity not found".
remove_roles_on() { # account
  local scope type id name principal found role only
  lookup scope storage account show --name "$1" --resource-group "$group" --query id
  while IFS=$'\t' read -r type id name <&3; do
    principal='' only=''
    case ${type,,} in
      microsoft.managedidentity/userassignedidentities)
        lookup principal identity show --ids "$id" --query principalId
        ;;
      microsoft.eventgrid/systemtopics)
        lookup principal resource show --ids "$id" --query identity.principalId
        # One that somebody else made may have other roles there.
        only=" && (ends_with(scope, '/blob-created') || ends_with(scope, '/dead-letter'))"
        ;;
    esac
    [[ -n $principal ]] || continue
    lookup found role assignment list --all --fill-principal-name false --assignee-object-id "$principal" \
      --query "[?starts_with(scope, '$scope/')$only].id"
    while read -r role <&4; do
      [[ -z $role ]] || change "Removing a role on $1" role assignment delete --ids "$role"
    done 4<<<"$found"
  done 3< <(cat "$work/resources" "$work/holders" 2>/dev/null)
}
