// Logs and traces, and the queries that one needs again and again.

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Azure region.')
param location string

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Most GB of logs a day; what comes after is dropped until the next day.')
@minValue(1)
param dailyGb int

@description('Tags of the deployment.')
param tags object

@description('Queries that everybody finds in the workspace.')
var queries = [
  {
    name: 'one-file'
    title: 'One file, from its event to its result (put its correlation id or name into the first line)'
    text: loadTextContent('../queries/one-file.kql')
  }
  {
    name: 'went-wrong'
    title: 'Warnings and errors of the last day, newest first'
    text: loadTextContent('../queries/went-wrong.kql')
  }
  {
    name: 'poison'
    title: 'Messages that were given up after five tries'
    text: loadTextContent('../queries/poison.kql')
  }
  {
    name: 'nodes'
    title: 'How the pool grew and shrank, and which nodes were lost'
    text: loadTextContent('../queries/nodes.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: { disableLocalAuth: true }
    workspaceCapping: { dailyQuotaGb: dailyGb }
  }

  resource saved 'savedSearches' = [
    for query in queries: {
      name: query.name
      properties: {
        category: 'ilastik-batch'
        displayName: query.title
        query: query.text
        // Azure refuses a second deployment without it, and knows it here only, whatever its published types say.
        #disable-next-line BCP037
        etag: '*'
      }
    }
  ]
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: workspace.id
  }
}

@description('Id of the workspace.')
output workspaceId string = workspace.id
@description('Where the app sends its telemetry.')
output insightsConnectionString string = insights.properties.ConnectionString
