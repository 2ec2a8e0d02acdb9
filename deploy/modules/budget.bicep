// Mail when the month becomes expensive. A budget warns; it does not stop anything.

@description('Name of the budget.')
param name string

@description('Amount of a month in the currency of the bill.')
@minValue(1)
param monthly int

@description('First day of the month in which the budget began, such as 2026-11-01; it cannot be moved later.')
param startDate string

@description('Where the mails go.')
param mail string

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: monthly
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: toObject([50, 80, 100], percent => 'actual${percent}', percent => {
      enabled: true
      operator: 'GreaterThan'
      threshold: percent
      thresholdType: 'Actual'
      contactEmails: [mail]
    })
  }
}
