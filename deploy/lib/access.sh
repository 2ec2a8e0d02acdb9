# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with deploy.sh
# The roles of whoever runs deploy.sh. Sourced by deploy.sh.

# As modules/roles.bicep has them for operators: Storage Blob, Queue and Table Data Contributor; Azure Batch Data Contributor.
readonly DATA_ROLES=(ba92f5b4-2d11-453d-a403-e96b0029c9fe 974c5e8b-45b9-4653-ba55-5f855dd0fb88
  0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3)
readonly BATCH_ROLES=(6aaa78f1-f7de-44ca-8722-c64a23943cae)

# Before anything asks for data: an account may be of a run that ended half-way, of another operator, or have outlived
# a teardown. By calls and not by the template, which Azure refuses where somebody gave the same role by hand.
give_access() {
  give_operator "$me" "$my_type"
  [[ -z ${parameter[operatorsGroup]} ]] || give_operator "${parameter[operatorsGroup]}" Group
}

give_operator() { # object id, its type
  local providers=/subscriptions/$subscription/resourceGroups/$group/providers
  [[ -z $data_account ]] ||
    give_roles "$1" "$2" "$providers/Microsoft.Storage/storageAccounts/$data_account" "${DATA_ROLES[@]}"
  [[ -z $batch_account ]] ||
    give_roles "$1" "$2" "$providers/Microsoft.Batch/batchAccounts/$batch_account" "${BATCH_ROLES[@]}"
}

give_roles() { # object id, its type, scope, roles
  local scope=$3 whom=you role present also=(--include-groups)
  # Groups that a group is in are not asked for: not everybody may.
  [[ $2 != Group ]] || whom="the operators' group" also=()
  lookup present role assignment list --scope "$scope" --include-inherited "${also[@]}" \
    --assignee-object-id "$1" --fill-principal-name false --fill-role-definition-name false \
    --query '[].roleDefinitionId'
  for role in "${@:4}"; do
    [[ ${present,,} != *"$role"* ]] || continue
    say "   gives $whom the role $role on ${scope##*/}"
    patiently "Giving a role on ${scope##*/}" az role assignment create --assignee-object-id "$1" \
      --assignee-principal-type "$2" --role "$role" --scope "$scope" --only-show-errors --output none
  done
}
