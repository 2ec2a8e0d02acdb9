#!/usr/bin/env bash
# ilastik-batch in Azure, from an empty subscription to a running system; again at any time to change or repair it.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
if ((BASH_VERSINFO[0] < 5)); then
  echo "bash 5 or later is needed; this is $BASH_VERSION. Azure Cloud Shell has one." >&2
  exit 1
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'END'
deploy.sh --resource-group NAME --location REGION [options]

Brings ilastik-batch into a resource group of Azure, or brings what is there up to date, and has the doctor look at it.
Running it again with the same options changes nothing; options that were given once are kept until they are given
again or --forget is.

  --resource-group NAME     made if it does not exist
  --location REGION         such as westeurope; needed the first time
  --subscription ID         another one than the login's own
  --project FILE.ilp        upload a classifier; images go to the folder of its name
  --ilastik-version 1.4.2   version of ilastik
  --upgrade-ilastik VERSION another version for a running deployment; files in work finish with the old one
  --ilastik-archive FILE    ilastik's archive from a file instead of files.ilastik.org
  --ilastik-sha256 DIGEST   insist on this digest of the archive instead of the one in ilastik.sha256
  --heal, --no-heal         have the app remove broken nodes, as --heal-nodes-per-day 5 and 0; needs the right to make
                            a role
  --engine certified        the pixel engine computes in the place of ilastik where it is proven to give its pixels; it is
                            compiled here, on Linux (x86-64) with a C compiler. --engine ilastik ends it
  --tools ilastik,imagej    what nodes install: ilastik in any case, imagej, cellprofiler (not tried yet on Azure's nodes)
  --private, --no-private   a network of its own for app and nodes, closed to all but --allowed-addresses (not tried yet)
  --budget AMOUNT           what files may cost in a month before new ones wait: 200, or with budgets of projects
                            '{"all": 200, "projects": {"embryos": 50}}'; at list prices, or those of --node-prices JSON
  --page-client-id ID       app registration by which people sign in to the page, where none is to be made (see README.md);
                            --no-page closes the page, --page opens it again
  --page-upload             let people send images from the page: the app gets the right to write the container of images;
                            --no-page-upload ends it, but for the role, which README.md says how to remove
  --PARAMETER VALUE         any parameter of main.bicep, its name in small letters with dashes:
                            --vm-size --vm-sizes --max-nodes --spot-nodes --slots-per-node --slot-memory-mb --node-disk-gb
                            --os-disk-gb --min-nodes-working-hours --wall-clock-minutes --staging-days --input-days
                            --alert-mail --operators-group --monthly-budget --prefix --backfill-daily-limit --rerun-finished --max-image-gb
                            --sweep-hours --keep-versions --delete-lock --more-settings ...; main.bicepparam holds a lab's own values
  --what-if                 show what would change and change nothing
  --smoke-test              send a tiny image through everything even if nothing was changed
  --no-smoke-test           do not
  --redeploy                deploy the code even if it is the same
  --forget                  forget the options of earlier runs
  --teardown                remove everything but the storage account with images and results (asks first)
  --delete-results          with --teardown: remove that account too
  --yes                     with --teardown: do not ask
END
}

# shellcheck source=lib/common.sh
source "$here/lib/common.sh"
# shellcheck source=lib/preflight.sh
source "$here/lib/preflight.sh"
# shellcheck source=lib/machines.sh
source "$here/lib/machines.sh"
# shellcheck source=lib/access.sh
source "$here/lib/access.sh"
# shellcheck source=lib/sign_in.sh
source "$here/lib/sign_in.sh"
# shellcheck source=lib/tools.sh
source "$here/lib/tools.sh"
# shellcheck source=lib/code.sh
source "$here/lib/code.sh"
# shellcheck source=lib/pools.sh
source "$here/lib/pools.sh"
# shellcheck source=lib/smoke.sh
source "$here/lib/smoke.sh"
# shellcheck source=lib/doctor.sh
source "$here/lib/doctor.sh"
# shellcheck source=lib/teardown.sh
source "$here/lib/teardown.sh"

group='' location='' subscription='' project='' ilastik_archive='' ilastik_sha256=''
mode=deploy smoke=auto redeploy=no forget=no delete_results=no assume_yes=no upgrade=no
options=()
# What deployments answer, now or in earlier runs.
blob_endpoint='' made_client_id='' scale_formula='' engine_blob='' tools_blob=''
readonly DEPLOYMENT=ilastik-batch

camel() { # --max-nodes -> maxNodes
  local IFS=- words word name
  read -r -a words <<<"${1#--}"
  name=${words[0]}
  for word in "${words[@]:1}"; do name+=${word^}; done
  printf '%s' "$name"
}

absolute() { [[ $1 == /* ]] && printf '%s' "$1" || printf '%s/%s' "$PWD" "$1"; }

read_options() {
  while (($# > 0)); do
    case $1 in
      -h | --help)
        usage
        exit
        ;;
      --what-if) mode="what-if" ;;
      --teardown) mode=teardown ;;
      --smoke-test) smoke=yes ;;
      --no-smoke-test) smoke=no ;;
      --redeploy) redeploy=yes ;;
      --forget) forget=yes ;;
      --delete-results) delete_results=yes ;;
      --yes) assume_yes=yes ;;
      --heal) options+=(--option healNodesPerDay=5) ;;
      --private) options+=(--option private=true) ;;
      --no-private) options+=(--option private=false) ;;
      --page) options+=(--option page=true) ;;
      --no-page) options+=(--option page=false) ;;
      --page-upload) options+=(--option pageUpload=true) ;;
      --no-page-upload) options+=(--option pageUpload=false) ;;
      --no-heal) options+=(--option healNodesPerDay=0) ;;
      --*)
        (($# > 1)) || fail "$1 needs a value. See: deploy.sh --help"
        read_value "$1" "$2"
        shift
        ;;
      *) fail "'$1' is no option. See: deploy.sh --help" ;;
    esac
    shift
  done
  [[ -n $group ]] || fail "Say where: --resource-group NAME. See: deploy.sh --help"
  # Azure's own rule; it also keeps out of addresses what could be read as something else.
  [[ $group =~ ^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$ && $group != -* ]] ||
    fail "'$group' cannot be the name of a resource group."
  [[ -z $location || $location =~ ^[a-z0-9]+$ ]] || fail "'$location' is no region; they look like westeurope."
  [[ -z $ilastik_sha256 || $ilastik_sha256 =~ ^[0-9a-f]{64}$ ]] ||
    fail "'$ilastik_sha256' is no SHA-256: those are 64 hexadecimal digits."
}

read_value() { # option, value
  case $1 in
    --resource-group) group=$2 ;;
    --location)
      location=$2
      options+=(--option "location=$2")
      ;;
    --subscription) subscription=$2 ;;
    --project) project=$(absolute "$2") ;;
    --ilastik-archive) ilastik_archive=$(absolute "$2") ;;
    --ilastik-sha256) ilastik_sha256=${2,,} ;;
    --budget) options+=(--option "budgetMonth=$2") ;;
    --upgrade-ilastik)
      upgrade=yes
      options+=(--option "ilastikVersion=$2")
      ;;
    *)
      [[ $1 =~ ^--[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]] || fail "'$1' is no option. See: deploy.sh --help"
      options+=(--option "$(camel "$1")=$2")
      ;;
  esac
}

# Puts the parameters together; the arguments are what this script decides itself.
declare -A parameter
write_parameters() {
  local name value
  kept_options=$("$python" -IS "$here/lib/parameters.py" --built "$work/built.json" \
    --remembered "$work/remembered.json" --template "$work/template.json" --out "$work/parameters.json" \
    --values "$work/values" "${options[@]}" "$@") || fail "The options need attention (see above). Nothing was made."
  while IFS=$'\t' read -r name value; do parameter[$name]=$value; done <"$work/values"
}

bicep_version() { az bicep version --only-show-errors 2>/dev/null | head -n 1 || echo "there is none"; }

understand_parameters() {
  az bicep build-params --file "$here/main.bicepparam" --stdout --only-show-errors >"$work/built.json" ||
    fail "main.bicepparam or main.bicep is faulty, or Bicep is missing or too old ($(bicep_version)); the message is above. A newer one: az bicep upgrade"
  printf 'null' >"$work/remembered.json"
  [[ -z $group_location ]] || read_remembered
  # But for the registration of the page, with the roles of people.
  [[ $forget == no ]] || sign_in forget "$made_client_id" >"$work/remembered.json"
  write_parameters
  prefix=${parameter[prefix]}
  location=${parameter[location]:-}
  ilastik_version=${parameter[ilastikVersion]}
  archive_blob=ilastik/ilastik-$ilastik_version-Linux.tar.bz2
  suffix=$(digest suffix "$subscription" "$group")
  mark=$prefix$suffix
  [[ -z $kept_options ]] || say "Options of this and earlier runs: $kept_options"
}

# People leave: at the first deployment it is asked who shall be alerted, and who runs it.
ask_who_is_told() {
  local mail='' people='' given=()
  if [[ -t 0 && -z ${parameter[alertMail]} ]]; then
    read -r -p "Mail alerts to (a shared mailbox, nothing for no alerts): " mail || true
    [[ -z $mail ]] || given+=(--option "alertMail=$mail")
  fi
  if [[ -t 0 && -z ${parameter[operatorsGroup]} ]]; then
    read -r -p "Object id of the operators' group in Entra (nothing: only you): " people || true
    [[ -z $people ]] || given+=(--option "operatorsGroup=$people")
  fi
  options+=("${given[@]}")
  ((${#given[@]} == 0)) || write_parameters
  [[ -n ${parameter[alertMail]} ]] || warn "Nobody hears of it when something breaks: --alert-mail takes a shared mailbox."
  [[ -n ${parameter[operatorsGroup]} ]] ||
    warn "Only you get the roles of an operator: --operators-group takes the object id of a group in Entra."
}

find_budget_start() {
  budget_start=
  [[ ${parameter[monthlyBudget]} == 0 || -z $group_location ]] || lookup budget_start rest --method get \
    --url "$(budget_url "$prefix")" --query properties.timePeriod.startDate
  budget_start=${budget_start:-$(date -u +%Y-%m-01)}
}

decide_internal() {
  local scripts start_task existing='' create=true apart=()
  choose_size
  # A pool can't move into a network.
  ! is_private || apart=(private)
  [[ -z $engine_blob ]] || apart+=("$engine_blob")
  [[ -z $tools_blob ]] || apart+=("$tools_blob")
  read -r scripts start_task pool < <(digest names "$ilastik_version" "$prefix" "$archive_sha256" \
    "${parameter[vmSize]}" "${parameter[osDiskGb]}" "${parameter[slotsPerNode]}" "${apart[@]}")
  [[ -z $batch_account ]] || lookup existing rest --method get --url "$(pools_url "$pool")" --query name
  # On the first run the pool comes last: nodes whose start task misses a file are broken for good.
  [[ -z $existing && ($mode == what-if || -n $data_account) ]] || create=false
  find_budget_start
  find_node_prices
  local tags=() prices=() own=()
  [[ $own_sign_in == no ]] || own=(--internal "pageClientId=\"$client_id\"")
  [[ -z $node_prices ]] || prices=(--internal "nodePrices=$node_prices")
  [[ -z $topic_tags ]] || tags=(--internal topicIsOurs=false --internal "topicTags=$topic_tags")
  write_parameters "${tags[@]}" "${prices[@]}" "${own[@]}" \
    --internal "suffix=\"$suffix\"" --internal "location=\"$location\"" \
    --internal "topicName=\"$topic\"" --internal "budgetStart=\"$budget_start\"" \
    --internal "vmSize=\"${parameter[vmSize]}\"" --internal "poolId=\"$pool\"" --internal "createPool=$create" \
    --internal "ilastikArchive=\"$archive_blob\"" --internal "ilastikSha256=\"$archive_sha256\"" \
    --internal "taskScripts=\"$scripts\"" --internal "startTaskBlob=\"$start_task\"" \
    --internal "engineBlob=\"$engine_blob\"" --internal "toolsBlob=\"$tools_blob\""
}

preflight() {
  step "Looks whether everything is in order"
  check_programs
  check_login
  lookup group_location group show --name "$group" --query location
  understand_parameters
  check_location
  check_permissions
  check_providers
  find_existing
  find_sign_in
  [[ $upgrade == no || -n $data_account ]] ||
    problem "There is nothing to upgrade in '$group' yet; leave out --upgrade-ilastik."
  check_machines "${parameter[vmSize]}" "${parameter[maxNodes]}" "${parameter[spotNodes]}"
  check_budget
  [[ $mode == what-if || -n $data_account ]] || ask_who_is_told
  check_functions
  check_names
  check_removed_names
  check_files
  tell_problems
  say "Everything is in order."
}

what_if() {
  ((${#unregistered[@]} == 0)) || say "These providers would be registered first: ${unregistered[*]}"
  archive_sha256=
  build_engine
  build_tools
  # Nobody gets a role here who has none yet.
  if [[ -n $data_account ]] && ! archive_sha256=$(az storage blob show --account-name "$data_account" --auth-mode login \
    --container-name tools --name "$archive_blob" --query metadata.sha256 --only-show-errors --output tsv \
    2>"$work/error"); then
    archive_sha256=
    grep -qE "$MISSING" "$work/error" ||
      not_known "whether ilastik's archive is in $data_account, so the pool may have another name than is shown: $(grep -m 1 '[a-z]' "$work/error")"
  fi
  # Which pool it would be depends on the archive; an unknown one stands for itself.
  ! is_nothing "$archive_sha256" || archive_sha256=${ilastik_sha256:-$(known_digest)}
  archive_sha256=${archive_sha256:-not-mirrored-yet}
  decide_internal
  if [[ -z $group_location ]]; then
    expand_template
    return
  fi
  az deployment group what-if --resource-group "$group" --name "$DEPLOYMENT" --template-file "$work/template.json" \
    --parameters "@$work/parameters.json" --only-show-errors || fail "Azure could not tell; its message is above."
}

# Azure looks at a deployment only where there is a resource group; Bicep works one out by itself.
expand_template() {
  say "The template compiles. The resource group '$group' would be made in $location, and everything in it."
  answers bicepparam template.json <"$work/parameters.json" >"$work/offline.bicepparam"
  if az bicep snapshot --file "$work/offline.bicepparam" --mode overwrite --subscription-id "$subscription" \
    --resource-group "$group" --location "$location" --deployment-name "$DEPLOYMENT" \
    --only-show-errors --output none 2>"$work/error" && [[ -s $work/offline.snapshot.json ]]; then
    say "As Bicep works it out, without asking Azure:"
    answers resources <"$work/offline.snapshot.json"
  else
    say "This Azure CLI or its Bicep cannot work out the details; az upgrade and az bicep upgrade bring newer ones."
  fi
  say "Whether Azure accepts it (policies, quotas, names) shows only in a deployment."
}

make_room() {
  if ((${#unregistered[@]} > 0)); then
    register_providers
    # What could not be asked before.
    check_machines "${parameter[vmSize]}" "${parameter[maxNodes]}" "${parameter[spotNodes]}"
    check_functions
    check_names
    check_removed_names
    tell_problems
  fi
  [[ -n $group_location ]] ||
    change "Making the resource group '$group'" group create --name "$group" --location "$location"
}

# Azure looks the whole deployment through, so that policies, quotas and regions stop it before anything is made.
validate_template() {
  step "Has Azure look the deployment through"
  decide_internal
  patiently "Looking the deployment through" az deployment group validate --resource-group "$group" \
    --name "$DEPLOYMENT" --template-file "$work/template.json" --parameters "@$work/parameters.json" \
    --only-show-errors --output none
}

# Scripts and archive come before whatever starts to use them, so that no task meets a gap.
stage() {
  step "Uploads scripts and ilastik where they are new"
  stage_scripts
  stage_archive
}

deploy_template() { # what it does, as words for people
  step "$1"
  decide_internal
  patiently "The deployment" az deployment group create --resource-group "$group" --name "$DEPLOYMENT" \
    --template-file "$work/template.json" --parameters "@$work/parameters.json" --only-show-errors --output none
  local found name
  lookup found deployment group show --resource-group "$group" --name "$DEPLOYMENT" --query \
    '[properties.outputs.[dataAccount.value, batchAccount.value, functionApp.value, batchEndpoint.value, blobEndpoint.value]]'
  # Not by tabs: bash takes several of them for one, and an empty name would get the next one's place.
  IFS='|' read -r data_account batch_account app batch_endpoint blob_endpoint <<<"${found//$'\t'/|}"
  lookup scale_formula deployment group show --resource-group "$group" --name "$DEPLOYMENT" \
    --query properties.outputs.scaleFormula.value
  for name in data_account batch_account app batch_endpoint blob_endpoint scale_formula; do
    ! is_nothing "${!name}" ||
      fail "The deployment does not tell its $name; see '$DEPLOYMENT' under Deployments of the resource group '$group'. Run this again."
  done
  give_access
}

deploy() {
  changed=0
  preflight
  if [[ $mode == what-if ]]; then
    what_if
    return
  fi
  step "Prepares the code and ilastik $ilastik_version"
  build_code
  build_node_python
  build_engine
  build_tools
  give_access
  find_archive
  make_room
  local is_new=no
  if [[ -z $data_account ]]; then
    is_new=yes changed=1
    validate_template
    deploy_template "Deploys storage, events, function app, Batch account, roles and monitoring (about five minutes)"
    arrange_sign_in
  fi
  stage
  deploy_template "Deploys what is new or has changed (a few minutes)"
  if [[ $is_new == no ]]; then
    arrange_sign_in
    [[ $own_sign_in == no || $client_id == "${parameter[pageClientId]}" ]] || deploy_template "Opens the page (a minute)"
  fi
  step "Deploys the code"
  deploy_code
  step "Looks after the pools"
  set_formula "$pool" "$scale_formula"
  drain_other_pools "$pool"
  upload_project
  check_new_quota
  smoke_failure=
  if [[ $smoke == yes ]] || [[ $smoke == auto && $changed == 1 ]]; then smoke_test; fi
  # New roles may not have spread to every queue and table yet.
  if [[ $is_new == yes && -z $smoke_failure ]]; then examine 12; else examine 1; fi
  [[ -z $smoke_failure ]] || fail "$smoke_failure"
  farewell
}

upload_project() {
  [[ -n $project ]] || return 0
  step "Uploads the classifier"
  project_name=$(basename -- "$project" .ilp)
  patiently "Uploading the classifier" upload_blob "$project" projects "$project_name.ilp"
}

# What a new account may use is known only once there is the account.
check_new_quota() {
  problems=() unregistered=()
  check_machines "${parameter[vmSize]}" "${parameter[maxNodes]}" "${parameter[spotNodes]}"
  ((${#problems[@]} == 0)) ||
    fail "${problems[0]} Everything else is in place, and files will wait. Run this again when there are cores."
}

farewell() {
  local example=${project_name:-PROJECT}
  case $doctor_says in
    0 | 1) step "Ready" ;;
    2) step "Deployed, but something does not work" ;;
    *) step "Deployed, but nobody has checked whether it works: the doctor was not run (see above)" ;;
  esac
  say "Drop a file here:   ${blob_endpoint}input/$example/FILE.h5"
  say "Results appear in:  ${blob_endpoint}results/$example/FILE.h5/"
  [[ -z ${parameter[pageClientId]} ]] || say "The page:           https://$app.azurewebsites.net/page/"
  say "Classifiers go to:  ${blob_endpoint}projects/$example.ilp"
  say ""
  say "For example:"
  say "  az storage blob upload --auth-mode login --account-name $data_account --container-name input --name $(printf '%q' "$example")/FILE.h5 --file FILE.h5"
  [[ $doctor_says != 2 ]] ||
    fail "Everything is deployed, but the doctor found something that does not work: see 'fail' above. When it is put right, run this again: what is done stays done."
}

main() {
  read_options "$@"
  work=$(mktemp -d)
  trap 'rm -rf -- "$work"' EXIT
  # Azure CLI takes a value such as @name for the contents of a file of that name, if there is one.
  mkdir "$work/empty"
  cd "$work/empty"
  if [[ $mode == teardown ]]; then
    check_programs
    check_login
    teardown
  else
    deploy
  fi
}

main "$@"
