// A network of its own for app and nodes, and private endpoints for what they talk to. Not tried on a subscription.
//
// Nodes have no public address and no way out, and need none: the start task takes everything from the account of data,
// and Batch is reached by its endpoints here. The app's way out is what Azure gives it.

@description('Name of the network, with which the names of all parts begin.')
param name string

@description('Azure region.')
param location string

@description('Addresses of the network: a /20 or more that nothing else here uses.')
param addresses string

@description('Name of the account with images.')
param dataAccountName string

@description('Name of the account of the function host.')
param hostAccountName string

@description('Name of the Batch account.')
param batchAccountName string

@description('Tags of the deployment.')
param tags object

resource data 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: dataAccountName
}

resource host 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: hostAccountName
}

resource batch 'Microsoft.Batch/batchAccounts@2025-06-01' existing = {
  name: batchAccountName
}

@description('What is reached from within: the resource, and the part of it.')
var targets = [
  { key: 'data-blob', id: data.id, part: 'blob', zone: 0 }
  { key: 'data-queue', id: data.id, part: 'queue', zone: 1 }
  { key: 'data-table', id: data.id, part: 'table', zone: 2 }
  { key: 'host-blob', id: host.id, part: 'blob', zone: 0 }
  { key: 'host-queue', id: host.id, part: 'queue', zone: 1 }
  { key: 'host-table', id: host.id, part: 'table', zone: 2 }
  { key: 'batch', id: batch.id, part: 'batchAccount', zone: 3 }
  { key: 'batch-nodes', id: batch.id, part: 'nodeManagement', zone: 3 }
]

@description('Zones in which their names stand.')
var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  #disable-next-line no-hardcoded-env-urls
  'privatelink.batch.azure.com'
]

// Without rules of its own it lets nobody in from outside.
resource guard 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: '${name}-guard'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addresses] }
    subnets: [
      {
        name: 'nodes'
        properties: {
          addressPrefix: cidrSubnet(addresses, 22, 0)
          defaultOutboundAccess: false
          networkSecurityGroup: { id: guard.id }
        }
      }
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addresses, 24, 4)
          networkSecurityGroup: { id: guard.id }
          delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addresses, 24, 5)
          defaultOutboundAccess: false
          networkSecurityGroup: { id: guard.id }
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zoneNames: {
    parent: zones[i]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-09-01' = [
  for target in targets: {
    name: '${name}-${target.key}'
    location: location
    tags: tags
    properties: {
      subnet: { id: '${network.id}/subnets/endpoints' }
      privateLinkServiceConnections: [
        {
          name: target.key
          // Of the accounts above.
          #disable-next-line use-resource-id-functions
          properties: { privateLinkServiceId: target.id, groupIds: [target.part] }
        }
      ]
    }
  }
]

resource groups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-09-01' = [
  for (target, i) in targets: {
    parent: endpoints[i]
    name: 'names'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.part
          properties: { privateDnsZoneId: zones[target.zone].id }
        }
      ]
    }
  }
]
