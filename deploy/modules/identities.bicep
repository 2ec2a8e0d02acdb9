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

@description('Resource id of the app\'s identity.')
output appId string = app.id
@description('Client id of the app\'s identity.')
output appClientId string = app.properties.clientId
@description('Object id of the app\'s identity.')
output appPrincipalId string = app.properties.principalId
@description('Resource id of the nodes\' identity.')
output poolId string = pool.id
@description('Client id of the nodes\' identity.')
output poolClientId string = pool.properties.clientId
@description('Object id of the nodes\' identity.')
output poolPrincipalId string = pool.properties.principalId
