# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# Which machines are to be had, and which of them are taken. Sourced by deploy.sh.

readonly IMAGE=canonical:ubuntu-24_04-lts:server:latest
readonly PRICES=https://prices.azure.com/api/retail/prices
# What was said of the choice of a size: once is enough.
said_of_sizes=

machines() { "$python" -IS "$here/lib/machines.py" "$@"; }

# What a provider knows can be asked for only once it is registered.
check_machines() { # size, most nodes, spot nodes
  local found family cores kinds image
  if ! is_registered Microsoft.Batch || ! is_registered Microsoft.Compute; then
    say "   Machine sizes can be looked up only when this subscription has been registered for them."
    return
  fi
  if_allowed "whether Batch offers machines of size $1 in $location" \
    fetch "$work/skus.json" batch location list-skus --location "$location" || return 0
  choose_size
  set -- "${parameter[vmSize]}" "$2" "$3"
  found=$(machines sku "$1" <"$work/skus.json")
  if [[ -z $found ]]; then
    problem "Batch offers no machines of size $1 in $location. See: az batch location list-skus --location $location --output table"
    return
  fi
  read -r cores kinds family <<<"$found"
  (($3 == 0)) || [[ $kinds == spot ]] ||
    problem "Machines of size $1 cannot be spot nodes. Take another --vm-size, or --spot-nodes 0."
  if if_allowed "whether the image $IMAGE is to be had in $location" \
    lookup image vm image show --location "$location" --urn "$IMAGE" --query name && [[ -z $image ]]; then
    problem "The image $IMAGE is not to be had in $location."
  fi
  if [[ -z $batch_account ]]; then
    check_batch_account_quota
    return
  fi
  fetch_account || return 0
  if [[ $cores == unknown ]]; then
    not_known "how many cores a machine of size $1 has, and so whether the quota suffices. See the portal: Batch account, Quotas."
    return
  fi
  (($2 <= $3)) || check_cores "$family" "$cores" dedicated
  (($3 == 0)) || check_cores "$family" "$cores" spot
  (($2 > $3)) || check_stand_ins "$family" "$cores"
}

fetch_account() {
  if_allowed "how many cores the Batch account $batch_account may use" \
    fetch "$work/account.json" batch account show --resource-group "$group" --name "$batch_account"
}

# Sets the machines' size to the wish that is offered, has quota and costs least; without an account no quota is known.
# With one, the size that was chosen before is in use.
choose_size() {
  local said used=
  [[ -n ${parameter[vmSizes]} && -s $work/skus.json ]] || return 0
  printf 'null' >"$work/account.json"
  if [[ -n $batch_account ]]; then
    fetch_account || printf 'null' >"$work/account.json"
    used=${parameter[vmSize]}
  fi
  find_prices "${parameter[vmSizes]}"
  machines choose "${parameter[vmSizes]}" "${parameter[maxNodes]}" "${parameter[spotNodes]}" "$work/account.json" \
    "$work/prices.json" "$used" <"$work/skus.json" >"$work/size"
  parameter[vmSize]=$(head -n 1 "$work/size")
  said=$(tail -n +2 "$work/size")
  [[ -z $said || $said == "$said_of_sizes" ]] || say "   ${said//$'\n'/$'\n'   }"
  said_of_sizes=$said
}

# Writes $work/prices.json, once a run: what a node of each size costs. It needs no login, and may stay unknown.
find_prices() { # sizes, with commas between
  local size file files=() pages query next
  [[ ! -f $work/prices.json ]] || return 0
  for size in ${1//,/ }; do
    pages=() query=(--data-urlencode
      "\$filter=serviceName eq 'Virtual Machines' and armRegionName eq '$location' and armSkuName eq '$size' and priceType eq 'Consumption'")
    while ((${#query[@]} > 0)); do
      file=$work/price-of-$size-${#pages[@]}.json
      if ! curl --fail --silent --show-error --max-time 20 --retry 2 --output "$file" --get "${query[@]}" "$PRICES" \
        2>"$work/error"; then
        warn "The list of retail prices could not be asked for $size: $(head -c 200 "$work/error")"
        # Half a list may lack the very row that counts.
        pages=()
        break
      fi
      pages+=("$file")
      next=$(machines next "${#pages[@]}" <"$file" 2>/dev/null) || next=
      query=(${next:+--data "$next"})
    done
    files+=("${pages[@]}")
  done
  # An answer of another shape tells no price.
  machines prices "${files[@]}" >"$work/prices.json" 2>"$work/error" || printf '{}' >"$work/prices.json"
}

# Puts into node_prices what the public list says that nodes cost, for the app; empty where --node-prices says it.
find_node_prices() {
  node_prices=
  [[ ${parameter[nodePrices]} == '{}' ]] || return 0
  find_prices "${parameter[vmSizes]:+${parameter[vmSizes]},}${parameter[vmSize]}"
  node_prices=$(machines setting "$(date -u +%F)" <"$work/prices.json")
}

# A budget that can't be kept lets nothing begin: better said before.
check_budget() {
  [[ -n ${parameter[budgetMonth]} ]] || return 0
  find_node_prices
  [[ $node_prices != '{}' ]] || grep -q '"foundPrices"' "$work/remembered.json" ||
    problem "--budget needs the price of a node, and the public list could not tell that of ${parameter[vmSize]}. Say it: --node-prices '{\"${parameter[vmSize]}\": {\"dedicated\": 0.27, \"spot\": 0.054}}'"
}

check_cores() { # family, cores of one node, kind
  local allowed
  allowed=$(machines quota "$1" "$3" <"$work/account.json")
  if [[ -z $allowed ]]; then
    warn "Azure does not tell how many $3 cores of the family $1 the Batch account $batch_account may use; with none, files wait. See the portal: Batch account, Quotas."
    return
  fi
  ((allowed >= $2)) ||
    problem "The Batch account $batch_account may use $allowed $3 cores of the family $1, and one node needs $2. Ask for more in the portal: Batch account, Quotas (free, takes hours to days)."
}

# Where all nodes may be spot nodes, dedicated ones stand in for those that Azure takes back.
check_stand_ins() { # family, cores of one node
  local allowed
  allowed=$(machines quota "$1" dedicated <"$work/account.json")
  [[ -z $allowed ]] || ((allowed >= $2)) ||
    warn "The Batch account $batch_account may use $allowed dedicated cores of the family $1: while Azure has no spot nodes, files wait. Ask for $2 or more in the portal: Batch account, Quotas."
}

check_batch_account_quota() {
  local allowed used what="whether the subscription may have one more Batch account in $location"
  if_allowed "$what" lookup allowed batch location quotas show --location "$location" --query accountQuota || return 0
  if_allowed "$what" lookup used batch account list --query "[?location=='$location'] | length(@)" || return 0
  if [[ ! $allowed =~ ^[0-9]+$ || ! $used =~ ^[0-9]+$ ]]; then
    not_known "$what: Azure does not tell."
    return
  fi
  ((used < allowed)) ||
    problem "The subscription has $used Batch accounts in $location and may have $allowed. Delete one, take another region, or ask for more in the portal: Quotas."
}
