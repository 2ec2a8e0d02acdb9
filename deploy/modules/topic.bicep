// The system topic of the data account. An account has one at most: an existing one is passed by its name.

@description('Name of the topic.')
param name string

@description('Id of the storage account whose events it carries.')
param storageAccountId string

@description('Azure region of the storage account.')
param location string

@description('Tags of the deployment.')
param tags object

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: storageAccountId
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

@description('Id of the topic.')
output id string = topic.id
@description('Object id of its identity.')
output principalId string = topic.identity.principalId
