# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The app registration by which people sign in to the page, where none is given. Sourced by deploy.sh.
#
# Not everybody may make one, or look at one: nothing of this ends a run. There is no secret: the app's identity stands in
# the place of one, by a federated credential.

readonly DIRECTORY=https://graph.microsoft.com/v1.0
# What was made a moment ago is not known to all of the directory.
readonly NOT_SPREAD='Request_ResourceNotFound|NoBackingApplicationObject|does not reference a valid|Directory_ConcurrencyViolation'

# Sets made_client_id to the id of the registration that an earlier run made, and writes down its options.
read_remembered() {
  fetch "$work/remembered.json" deployment group list --resource-group "$group" \
    --query "[?name=='$DEPLOYMENT'].properties.parameters.options.value | [0]"
  # A query without a result prints nothing.
  [[ -s $work/remembered.json ]] || printf 'null' >"$work/remembered.json"
  made_client_id=$(sign_in remembered <"$work/remembered.json")
}

# Sets own_sign_in: whether the registration is this script's own affair; client_id: its id for the template, "keep" where
# it is not known.
find_sign_in() {
  own_sign_in=no client_id='' registration=''
  [[ -z ${parameter[pageClientId]} && ${parameter[page],,} == true ]] || return 0
  own_sign_in=yes
  # A first run makes it once there is the app.
  [[ -n $data_account ]] || return 0
  find_registration && return
  client_id=keep
  not_known "whether there is an app registration for the page: $(why)"
}

directory() { # file for the answer, method, path below the address; file with a body
  local tries=0 body=()
  [[ -z ${4:-} ]] || body=(--body "@$4" --headers Content-Type=application/json)
  until steadily "$1" rest --method "$2" --url "$DIRECTORY/$3" "${body[@]}" --only-show-errors --output json; do
    ((tries++ < 3)) && grep -qE "$NOT_SPREAD" "$work/error" || return 1
    sleep "$SHORT_PAUSE"
  done
}

why() { tail -n 1 "$work/error" | head -c 300; }

# Sets registration and client_id, both empty where there is none; 1 where that may not be looked at. It is the one that an
# earlier run remembered. Of a run that broke off nothing is remembered; but anybody may give a registration our tag: one
# counts only where it is the only one that whoever runs this owns, with nobody else. The others' ids come into strangers.
find_registration() { # mark of the deployment, if not this one's
  local own=() others=() id app_id
  registration='' client_id='' strangers=''
  if [[ -n $made_client_id ]]; then
    if directory "$work/registered.json" get "applications(appId='$made_client_id')"; then
      read -r registration client_id < <(sign_in one appId <"$work/registered.json")
      return
    fi
    # A list that lacks it would not say that it is gone: this does.
    grep -q Request_ResourceNotFound "$work/error" || return
  fi
  directory "$work/registrations.json" get "applications?\$filter=tags/any(t:t%20eq%20'ilastik-batch-${1:-$mark}')" || return
  while read -r id app_id <&3; do
    directory "$work/owners.json" get "applications/$id/owners" || return
    if [[ $(sign_in owned "$me" <"$work/owners.json") == alone ]]; then own+=("$id $app_id"); else others+=("$app_id"); fi
  done 3< <(sign_in found appId <"$work/registrations.json")
  if ((${#own[@]} == 1)); then
    read -r registration client_id <<<"${own[0]}"
  else
    others+=("${own[@]#* }")
  fi
  strangers=${others[*]}
}

arrange_sign_in() {
  [[ $own_sign_in == yes ]] || return 0
  ! complete_sign_in || return 0
  # That of an earlier run stays in use.
  client_id=${parameter[pageClientId]}
  if [[ -n $client_id ]]; then
    warn "The app registration of the page could not be looked after: $(why)"
    return
  fi
  warn "The page stays closed: an app registration in Entra is needed, which you may not make: $(why)"
  say "   Ask somebody who may register applications for one, as README.md (Who may see the page) lists it, with"
  say "     redirect URI (Web):     https://$app.azurewebsites.net/.auth/login/aad/callback"
  say "     federated credential:   issuer https://login.microsoftonline.com/$my_tenant/v2.0"
  say "                             subject ${principal:-the object id of the identity $prefix-app-identity}"
  say "                             audience api://AzureADTokenExchange"
  say "   With its application (client) id run this again: --page-client-id ID. Or --no-page, and nothing is asked."
}

# What is there already stays as it is: people may have changed it.
complete_sign_in() {
  local service_principal known
  lookup principal identity show --query principalId --ids \
    "/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/$prefix-app-identity"
  find_registration || return
  if [[ -z $registration ]]; then
    [[ -z $strangers ]] ||
      warn "In Entra there is an app registration with the tag of this deployment, not known to be its own, and not used: $strangers. Whoever owns it could let people in. See App registrations."
    say "   registers the page in Entra"
    sign_in registration "$mark" "$group" "$app" >"$work/registration.json"
    directory "$work/made.json" post applications "$work/registration.json" || return
    read -r registration client_id < <(sign_in one appId <"$work/made.json")
    made_client_id=$client_id
  fi
  directory "$work/credentials.json" get "applications/$registration/federatedIdentityCredentials" || return
  known=$(sign_in credential "$principal" <"$work/credentials.json")
  if [[ $known != same ]]; then
    sign_in new-credential "https://login.microsoftonline.com/$my_tenant/v2.0" "$principal" >"$work/credential.json"
    if [[ -n $known ]]; then
      directory /dev/null delete "applications/$registration/federatedIdentityCredentials/$known" || return
    fi
    directory /dev/null post "applications/$registration/federatedIdentityCredentials" "$work/credential.json" || return
  fi
  directory "$work/principals.json" get "servicePrincipals?\$filter=appId%20eq%20'$client_id'" || return
  read -r service_principal _ < <(sign_in found appId <"$work/principals.json") || true
  if [[ -z $service_principal ]]; then
    sign_in service-principal "$client_id" >"$work/principal.json"
    directory "$work/made.json" post servicePrincipals "$work/principal.json" || return
    read -r service_principal _ < <(sign_in one appId <"$work/made.json")
  fi
  admit_first_admin "$service_principal"
}

# In every run while nobody has a role: the one that made the registration may have broken off before.
admit_first_admin() { # service principal
  local service_principal=$1 where="Under Enterprise applications, 'ilastik-batch page ($group)', people and groups get their roles."
  directory "$work/assigned.json" get "servicePrincipals/$service_principal/appRoleAssignedTo" || return
  [[ $(sign_in assigned <"$work/assigned.json") == nobody ]] || return 0
  if [[ $my_type != User ]]; then
    warn "Nobody has a role of the page yet. $where"
    return
  fi
  sign_in assignment "$mark" "$me" "$service_principal" >"$work/assignment.json"
  directory /dev/null post "servicePrincipals/$service_principal/appRoleAssignedTo" "$work/assignment.json" ||
    warn "You could not be made an admin of the page: $(why). $where"
}

remove_sign_in() { # mark of the deployment
  read_remembered
  if ! find_registration "$1"; then
    not_known "whether there is an app registration for the page, which would stay: $(why)"
    return
  fi
  [[ -z $strangers ]] ||
    warn "An app registration in Entra with the tag of this deployment stays, as it is not known to be its own: $strangers. If it is: az ad app delete --id ID"
  [[ -n $registration ]] || return 0
  say "   removes the app registration of the page"
  directory /dev/null delete "applications/$registration" ||
    warn "The app registration of the page stays: $(why). Ask its owner: az ad app delete --id $client_id"
}

sign_in() { "$python" -IS "$here/lib/sign_in.py" "$@"; }
