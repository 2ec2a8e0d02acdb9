"""The public list of retail prices, at prices.azure.com; nobody signs in there.

Fields, pages and filters: https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices. The
kinds of rows are those that a question for one size in one region brings: nodes with Linux, with Windows and of Cloud
Services, each as dedicated, spot and former low-priority nodes, cheaper ones for development and test, reservations.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.azure.front import Answer, Request

HOST = "prices.azure.com"
_PATH = "/api/retail/prices"
# (what the product's name ends with, what the names of SKU and meter end with, type, share of the price of a dedicated
# node with Linux or spot node with Linux, term). The order is the service's: by the meter's id, which says nothing.
_ROWS = (
    ("Series Cloud Services", " Low Priority", "Consumption", "dedicated", 0.77, None),
    ("Series", " Spot", "Consumption", "spot", 1.0, None),
    ("Series Cloud Services", "", "Consumption", "dedicated", 1.92, None),
    ("Series", "", "Consumption", "dedicated", 1.0, None),
    ("Series", "", "Reservation", "dedicated", 5170.0, "1 Year"),
    ("Series", "", "Reservation", "dedicated", 9990.0, "3 Years"),
    ("Series Windows", " Low Priority", "Consumption", "dedicated", 0.77, None),
    ("Series Windows", " Low Priority", "DevTestConsumption", "dedicated", 0.2, None),
    ("Series", " Low Priority", "Consumption", "dedicated", 0.2, None),
    ("Series Windows", "", "Consumption", "dedicated", 1.92, None),
    ("Series Windows", "", "DevTestConsumption", "dedicated", 1.0, None),
    ("Series Windows", " Spot", "Consumption", "spot", 1.92, None),
    ("Series Windows", " Spot", "DevTestConsumption", "spot", 1.0, None),
)


@dataclass
class Prices:
    """`known`: size -> dollars an hour of a dedicated node and of a spot node. `page`: how many rows come in an answer,
    a thousand at the real one; a question for one size brings thirteen."""

    known: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {"Standard_D4ds_v5": (0.3, 0.06), "Standard_E8ds_v5": (0.7, 0.14)}
    )
    page: int = 5
    is_down: bool = False

    def answer(self, request: Request) -> Answer:
        if self.is_down:
            return Answer(502, {})
        assert (request.method, request.path) == ("GET", _PATH), request
        assert "authorization" not in request.headers, "A token was sent to where nobody signs in."
        wanted = dict(re.findall(r"(\w+) eq '([^']*)'", request.query["$filter"]))
        assert wanted["serviceName"] == "Virtual Machines", wanted
        # Values count as they are written. The type is not believed to filter: this tells all of them.
        rows = list(self._rows(wanted["armSkuName"], wanted["armRegionName"]))
        begin = int(request.query.get("$skip", "0"))
        items = rows[begin : begin + self.page]
        more = None
        if len(rows) > begin + self.page:
            filtered = quote(request.query["$filter"])
            more = f"https://{HOST}:443{_PATH}?$filter={filtered}&$skip={begin + self.page}"
        whose = {"BillingCurrency": "USD", "CustomerEntityId": "Default", "CustomerEntityType": "Retail"}
        return Answer(200, {**whose, "Items": items, "NextPageLink": more, "Count": len(items)})

    def _rows(self, size: str, region: str) -> list[dict[str, Any]]:
        if size not in self.known:
            return []
        price = dict(zip(("dedicated", "spot"), self.known[size], strict=True))
        name = size.removeprefix("Standard_").replace("_", " ")
        return [
            {
                "currencyCode": "USD",
                "tierMinimumUnits": 0.0,
                **({"reservationTerm": term} if term else {}),
                "retailPrice": round(price[kind] * share, 6),
                "unitPrice": round(price[kind] * share, 6),
                "armRegionName": region,
                "location": "EU West",
                "effectiveStartDate": "2024-08-01T00:00:00Z",
                "meterId": "9278400e-3afa-5985-a200-c8edc2448631",
                "meterName": f"{name}{ending}",
                "productId": "DZH318Z08W0T",
                "skuId": f"DZH318Z08W0T/{number:04X}",
                "productName": f"{'' if 'Cloud' in product else 'Virtual Machines '}Ddsv5 {product}",
                # As the size is called, for newer ones.
                "skuName": f"{size}{ending}",
                "serviceName": "Virtual Machines",
                "serviceId": "DZH313Z7MMC8",
                "serviceFamily": "Compute",
                "unitOfMeasure": "1 Hour",
                "type": kind_of_price,
                "isPrimaryMeterRegion": True,
                "armSkuName": size,
            }
            for number, (product, ending, kind_of_price, kind, share, term) in enumerate(_ROWS)
        ]
