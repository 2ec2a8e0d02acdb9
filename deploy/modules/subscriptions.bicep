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
  filters: object[]
}

@description('What a Zarr has once, at its top: for its sake whoever dropped it hears that it cannot be segmented. The thousands of other files raise no event.')
var zarrFiles = ['.zarr/.zgroup', '.zarr/.zarray', '.zarr/.zattrs', '.zarr/zarr.json']

@description('All that is dropped: which files are images, the app knows. And classifiers with their settings.')
var subscriptions subscription[] = [
  {
    name: 'images'
    container: 'input'
    filters: [{ operatorType: 'StringNotContains', key: 'subject', values: ['.zarr/'] }]
  }
  {
    name: 'zarrs'
    container: 'input'
    filters: [{ operatorType: 'StringEndsWith', key: 'subject', values: zarrFiles }]
  }
  {
    name: 'projects'
    container: 'projects'
    filters: [{ operatorType: 'StringEndsWith', key: 'subject', values: ['.ilp', '.json', '.ijm', '.cppipe', '.py'] }]
  }
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
        advancedFilters: item.filters
      }
      retryPolicy: { eventTimeToLiveInMinutes: hoursToDeliver * 60, maxDeliveryAttempts: 30 }
    }
  }
]
