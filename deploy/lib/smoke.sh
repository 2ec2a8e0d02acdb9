# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# One tiny image through everything. Sourced by deploy.sh.

readonly SMOKE_MINUTES=45

upload_blob() { # file, container, blob
  az storage blob upload --account-name "$data_account" --auth-mode login --container-name "$2" \
    --file="$1" --name="$3" --overwrite true --no-progress --only-show-errors --output none
}

# The row's state and reason, in $work/row; nothing before there is one.
smoke_row() { # name
  az storage entity query --account-name "$data_account" --auth-mode login --table-name files \
    --filter "PartitionKey eq 'smoke-test' and name eq '$1' and is_file eq true" \
    --query 'items[].[state, reason]' --only-show-errors --output tsv >"$work/row"
}

# Sets smoke_failure to a sentence where it does not end well.
smoke_test() {
  local name began now state last='' last_at said_at reason tiffs
  # A new name each time: the same bytes under the same name are the same file, and nothing would run.
  name=smoke-test/$(date -u +%Y%m%dT%H%M%SZ).h5
  step "Sends a tiny image through everything (from an empty pool about ten minutes)"
  patiently "Uploading the classifier of the smoke test" upload_blob "$here/../local_cloud/sample_data/default.ilp" projects smoke-test.ilp
  began=$(date +%s)
  last_at=$began said_at=$began
  patiently "Uploading the image of the smoke test" upload_blob "$here/smoke/tiny.h5" input "$name"
  say "   uploaded as input/$name"
  while :; do
    patiently "Looking into the table of files" smoke_row "$name"
    now=$(date +%s)
    state='' reason=''
    IFS=$'\t' read -r state reason <"$work/row" || true
    if [[ -n $state && $state != "$last" ]]; then
      printf '   %5d s  %s (%d s after the step before)\n' "$((now - began))" "$state" "$((now - last_at))"
      last=$state last_at=$now said_at=$now
    elif ((now - said_at >= 60)); then
      say "   still ${last:-not seen} after $(((now - began) / 60)) min"
      said_at=$now
    fi
    case $last in
      SUCCEEDED) break ;;
      REJECTED | FAILED | CANCELLED | SUPERSEDED)
        smoke_failure="The smoke test ended as $last: $reason See results/$name/ in $data_account, and what the doctor found."
        return
        ;;
    esac
    if ((now - began >= SMOKE_MINUTES * 60)); then
      smoke_failure="The smoke test is not done after $SMOKE_MINUTES minutes (${last:-nothing was seen of it} ${reason:-}). It goes on by itself; see what the doctor found."
      return
    fi
    sleep "$SHORT_PAUSE"
  done
  lookup_data tiffs storage blob list --container-name results --prefix "$name/" \
    --query "length([?ends_with(name, '.tiff')])"
  if ((tiffs == 0)); then
    smoke_failure="The smoke test succeeded, but there is no TIFF in results/$name/ of $data_account."
    return
  fi
  say "   the TIFF is there: $((now - began)) s in all; the smoke test's files are removed"
  az storage blob delete --account-name "$data_account" --auth-mode login --container-name input --name "$name" \
    --only-show-errors --output none || warn "input/$name is left over."
  az storage blob delete-batch --account-name "$data_account" --auth-mode login --source results \
    --pattern "$name/*" --only-show-errors --output none || warn "results/$name/ is left over."
}
