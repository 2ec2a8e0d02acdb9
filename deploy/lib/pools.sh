# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# Pools are never changed but for their scale: another kind of pool is another pool. Sourced by deploy.sh.

pools_url() { # pool, or nothing for all
  printf '%s' "$arm/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.Batch" \
    "/batchAccounts/$batch_account/pools${1:+/$1}?api-version=2025-06-01"
}

set_formula() { # pool, formula
  fetch "$work/pool.json" rest --method get --url "$(pools_url "$1")"
  ! answers same-formula "$2" <"$work/pool.json" || return 0
  say "   the pool $1 gets its new scale"
  "$python" -ISc 'import json, sys; print(json.dumps(sys.argv[1]))' "$2" | answers scale-body >"$work/scale.json"
  change "Setting the scale of the pool $1" rest --method patch --url "$(pools_url "$1")" --body "@$work/scale.json"
  changed=1
}

drain_other_pools() { # the current pool
  local other jobs drain
  fetch_list "$work/pools.json" "$(pools_url)"
  answers other-pools "$1" <"$work/pools.json" >"$work/others"
  while read -r other; do
    [[ -n $other ]] || continue
    patiently "Listing the jobs of $batch_account" list_jobs
    jobs=$(answers jobs "$other" <"$work/jobs.json")
    if [[ -z $jobs ]]; then
      say "   deletes the pool $other, on which no job runs any more"
      change "Deleting the pool $other" rest --method delete --url "$(pools_url "$other")"
    else
      lookup drain deployment group show --resource-group "$group" --name "$DEPLOYMENT" \
        --query properties.outputs.drainFormula.value
      set_formula "$other" "$drain"
      warn "The pool $other finishes its work and then has no nodes. The next run deletes it, once its job ($jobs) is closed: that happens a day after the job's last file."
    fi
  done <"$work/others"
}

list_jobs() {
  read_list "$work/jobs.json" "$batch_endpoint/jobs?api-version=2025-06-01" --resource https://batch.core.windows.net/
}
