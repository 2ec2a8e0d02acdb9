// Which events reach the queue. Deployed after the roles: Event Grid checks that it may deliver.

@description('Name of the system topic.')
param topicName string

@description('Id of the storage account with the queue and the dead-letter container.')
param storageAccountId string

@description('Hours for which Event Grid tries to deliver, at most 24.')
@minValue(1)
@maxValue(24)
param hoursToDeliver int

@description('Which blobs the queue hears of.')
type subscription = {
  name: string
  container: string
  suffixes: string[]
}

@description('Images, and classifiers with their settings.')
var subscriptions subscription[] = [
  { name: 'images', container: 'input', suffixes: ['.h5'] }
  { name: 'projects', container: 'projects', suffixes: ['.ilp', '.json'] }
]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource toQueue 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for item in subscriptions: {
    parent: topic
    name: item.name
    properties: {
      deliveryWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        destination: {
          endpointType: 'StorageQueue'
          properties: {
            resourceId: storageAccountId
            queueName: 'blob-created'
            // The function host would look at a message that it cannot take for seven days; so does the queue.
            queueMessageTimeToLiveInSeconds: 604800
          }
        }
      }
      deadLetterWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: {
            resourceId: storageAccountId
            blobContainerName: 'dead-letter'
          }
        }
      }
      eventDeliverySchema: 'EventGridSchema'
      filter: {
        includedEventTypes: ['Microsoft.Storage.BlobCreated']
        isSubjectCaseSensitive: false
        subjectBeginsWith: '/blobServices/default/containers/${item.container}/blobs/'
        advancedFilters: [
          { operatorType: 'StringEndsWith', key: 'subject', values: item.suffixes }
        ]
      }
      retryPolicy: { eventTimeToLiveInMinutes: hoursToDeliver * 60, maxDeliveryAttempts: 30 }
    }
  }
]
