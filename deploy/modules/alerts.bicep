// Mail when a person is needed.

@description('Beginning of the alerts\' names.')
param prefix string

@description('Azure region of the rules on logs.')
param location string

@description('Where the mails go.')
param mail string

@description('Id of the Batch account.')
param batchAccountId string

@description('Id of the Event Grid topic.')
param topicId string

@description('Id of the Log Analytics workspace.')
param workspaceId string

@description('Tags of the deployment.')
param tags object

@description('An alert on a metric.')
type metricAlert = {
  name: string
  @description('Id of the resource that has the metric.')
  scope: string
  @description('Its type.')
  kind: 'Microsoft.Batch/batchAccounts' | 'Microsoft.EventGrid/systemTopics'
  metric: string
  text: string
  window: string
  @description('The alert is raised where the sum over the window is above this number.')
  above: int
  severity: int
}

// Batch counts nodes once a minute and publishes their sum alone: node-minutes.
@description('Alerts on metrics.')
var onMetrics metricAlert[] = [
  {
    name: 'start-task-failed'
    scope: batchAccountId
    kind: 'Microsoft.Batch/batchAccounts'
    metric: 'StartTaskFailedNodeCount'
    text: 'A node could not install ilastik. Its files wait. Look at startup/stderr.txt of the node in the Batch account.'
    window: 'PT15M'
    above: 0
    severity: 1
  }
  {
    name: 'unusable-node'
    scope: batchAccountId
    kind: 'Microsoft.Batch/batchAccounts'
    metric: 'UnusableNodeCount'
    text: 'A node of the pool is unusable; its tasks may wait forever. Remove the node in the Batch account.'
    window: 'PT30M'
    above: 0
    severity: 2
  }
  {
    name: 'idle-nodes'
    scope: batchAccountId
    kind: 'Microsoft.Batch/batchAccounts'
    metric: 'IdleNodeCount'
    text: 'More than one node an hour is paid for and has nothing to do. Look at the pool\'s autoscale formula.'
    window: 'PT1H'
    above: 60
    severity: 3
  }
  {
    name: 'failed-tasks'
    scope: batchAccountId
    kind: 'Microsoft.Batch/batchAccounts'
    metric: 'TaskFailEvent'
    text: 'Tasks failed. PROBLEM.txt in the results of the files says why, if trying again did not help.'
    window: 'PT1H'
    above: 0
    severity: 2
  }
  {
    name: 'undeliverable'
    scope: topicId
    kind: 'Microsoft.EventGrid/systemTopics'
    metric: 'DeadLetteredCount'
    text: 'Events could not be delivered to the queue for a day. The sweep takes up their files; the doctor shows more.'
    window: 'PT1H'
    above: 0
    severity: 2
  }
]

@description('An alert on what was logged.')
type logAlert = {
  name: string
  query: string
  text: string
  severity: int
  @description('For so long no second mail comes of what goes on.')
  mute: string?
}

// Lines may arrive an hour late: each evaluation looks back over that hour and the time since the one before (Azure
// has no window between one and two hours), and at what has arrived since then, with a minute to spare: a mail that
// comes twice is better than one that never comes.
@description('Alerts on logs.')
var onLogs logAlert[] = [
  {
    name: 'poison'
    query: loadTextContent('../queries/poison-lately.kql')
    text: 'A message was given up after five tries: a fault in the code or its settings. The doctor shows it.'
    severity: 1
  }
  {
    name: 'failed-files'
    query: loadTextContent('../queries/failed-files.kql')
    text: 'Files ended as FAILED. PROBLEM.txt in their results says why.'
    severity: 2
  }
  {
    name: 'pool-trouble'
    query: loadTextContent('../queries/pool-trouble.kql')
    text: 'Files wait for nodes that the pool does not get, or broken nodes were removed. The line says why and what to do.'
    severity: 2
    mute: 'PT6H'
  }
  {
    name: 'month-budget'
    query: loadTextContent('../queries/month-budget.kql')
    text: 'Of the month\'s budget (BUDGET_MONTH) 80 % or all is spent. Once it is used up, new files wait until it is raised or the month ends.'
    severity: 3
    mute: 'P1D'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-people'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: take(prefix, 12)
    enabled: true
    emailReceivers: [
      { name: 'lab', emailAddress: mail, useCommonAlertSchema: true }
    ]
  }
}

resource metricAlerts 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for alert in onMetrics: {
    name: '${prefix}-${alert.name}'
    location: 'global'
    tags: tags
    properties: {
      description: alert.text
      severity: alert.severity
      enabled: true
      autoMitigate: true
      scopes: [alert.scope]
      evaluationFrequency: 'PT15M'
      windowSize: alert.window
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricNamespace: alert.kind
            metricName: alert.metric
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: alert.above
          }
        ]
      }
      actions: [{ actionGroupId: people.id }]
    }
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in onLogs: {
    name: '${prefix}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${prefix}-${alert.name}'
      muteActionsDuration: alert.?mute
      description: alert.text
      severity: alert.severity
      enabled: true
      autoMitigate: false
      scopes: [workspaceId]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT2H'
      // A table of a kind of log exists only once its first line has come.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]
