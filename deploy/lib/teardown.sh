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

teardown() {
  local found name kept=''
  lookup found group show --name "$group" --query name
  [[ -n $found ]] || fail "There is no resource group '$group'."
  lookup found resource list --resource-group "$group" --query '[?tags."ilastik-batch"].[type, id, name]'
  if [[ -z $found ]]; then
    say "There is nothing of ilastik-batch in '$group'."
    return
  fi
  printf '%s\n' "$found" >"$work/resources"
  add_what_azure_made
  [[ $delete_results == yes ]] || lookup kept resource list --resource-group "$group" \
    --query "[?tags.\"ilastik-batch-part\"=='data'].name | [0]"
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
  # Before the roles of a topic that stays are looked for, and while the account is there.
  leave_topic "$(awk -F '\t' '$1 ~ /storageAccounts$/ {print $3}' "$work/resources")"
  [[ -z $kept ]] || remove_roles_on "$kept"
  remove_budget
  remove_resources "$kept" "${REMOVED[@]}"
  remove_healer
  # By what is left a teardown that broke off goes on.
  remove_resources "$kept" Microsoft.Storage/storageAccounts
  say "Removed."
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
  local role
  if ! steadily "$work/answer" rest --method get --url "$(roles_url)" --only-show-errors --output tsv \
    --query "value[?properties.roleName=='ilastik-batch pool healer $owner_mark'].name | [0]"; then
    warn "Azure does not tell whether there is a custom role 'ilastik-batch pool healer $owner_mark'; look under Access control, Roles, of the group '$group'."
    return
  fi
  role=$(<"$work/answer")
  is_nothing "$role" || patiently "Removing the role that removes broken nodes" \
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
