# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The roles of whoever runs deploy.sh. Sourced by deploy.sh.

# As modules/roles.bicep has them for operators: Storage Blob, Queue and Table Data Contributor; Azure Batch Data Contributor.
readonly DATA_ROLES=(ba92f5b4-2d11-453d-a403-e96b0029c9fe 974c5e8b-45b9-4653-ba55-5f855dd0fb88
  0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3)
readonly BATCH_ROLES=(6aaa78f1-f7de-44ca-8722-c64a23943cae)

# Before anything asks for data: an account may be of a run that ended half-way, of another operator, or have outlived
# a teardown. By calls and not by the template, which Azure refuses where somebody gave the same role by hand.
give_access() {
  local providers=/subscriptions/$subscription/resourceGroups/$group/providers
  [[ -z $data_account ]] || give_roles "$providers/Microsoft.Storage/storageAccounts/$data_account" "${DATA_ROLES[@]}"
  [[ -z $batch_account ]] || give_roles "$providers/Microsoft.Batch/batchAccounts/$batch_account" "${BATCH_ROLES[@]}"
}

give_roles() { # scope, roles
  local scope=$1 role present
  lookup present role assignment list --scope "$scope" --include-inherited --include-groups \
    --assignee-object-id "$me" --fill-principal-name false --fill-role-definition-name false \
    --query '[].roleDefinitionId'
  for role in "${@:2}"; do
    [[ ${present,,} != *"$role"* ]] || continue
    say "   gives you the role $role on ${scope##*/}"
    patiently "Giving you a role on ${scope##*/}" az role assignment create --assignee-object-id "$me" \
      --assignee-principal-type "$my_type" --role "$role" --scope "$scope" --only-show-errors --output none
  done
}
