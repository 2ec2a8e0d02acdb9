// Who acts: the function app and the nodes of the pool each have an identity of their own.

@description('Name of the function app\'s identity.')
param appIdentityName string

@description('Name of the identity that tasks on the pool use.')
param poolIdentityName string

@description('Azure region.')
param location string

@description('Tags of the deployment.')
param tags object

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appIdentityName
  location: location
  tags: tags
}

resource pool 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: poolIdentityName
  location: location
  tags: tags
}

output appId string = app.id
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output poolId string = pool.id
output poolClientId string = pool.properties.clientId
output poolPrincipalId string = pool.properties.principalId
