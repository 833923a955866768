"""The words and sentences of the generated corpus.

64 people, 48 cities, 40 numbers, 7 days, 8 verbs with 4 objects each: enough for facts that must be copied and cannot
be guessed, few enough for a vocabulary of whole words that 275,000 parameters can learn.
"""

PEOPLE = (
    "Ada Bruno Carla Dario Edith Felix Greta Hugo Irma Jonas Karin Lars Mara Nils Olga Pavel "
    "Quinn Rosa Stefan Tilda Ugo Vera Walter Xenia Yann Zita Anton Berta Clemens Dora Emil Frida "
    "Georg Hanna Igor Julia Kaspar Lena Milan Nora Otto Petra Ralf Sonja Tomas Ulla Viktor Wanda "
    "Yusuf Zora Alma Boris Celia Dirk Elena Fabian Gilda Henrik Ines Jakob Klara Leon Mona Oskar"
).split()

CITIES = (
    "Aarhus Bergen Cadiz Dijon Essen Faro Ghent Haifa Izmir Jena Krakow Lyon "
    "Malmo Nantes Oslo Porto Quito Riga Salta Turin Utrecht Varna Wels Xian "
    "York Zagreb Arles Basel Cork Delft Evora Fargo Genoa Halle Ibiza Jaffa "
    "Kiel Leeds Metz Namur Oulu Pisa Reims Siena Trier Ulm Vigo Wuhan"
).split()

NUMBERS = tuple(str(number) for number in range(12, 92, 2))

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

WORK = {
    "repaired": ("bridges", "roofs", "boats", "pumps"),
    "planted": ("oaks", "tulips", "vines", "hedges"),
    "painted": ("fences", "murals", "doors", "signs"),
    "delivered": ("parcels", "letters", "crates", "barrels"),
    "baked": ("loaves", "pies", "cakes", "rolls"),
    "sold": ("lamps", "carpets", "mirrors", "clocks"),
    "tested": ("engines", "sensors", "drones", "brakes"),
    "collected": ("coins", "stamps", "shells", "maps"),
}

# How often a number is stated wrong first and put right later.
CORRECTED = 0.3

NEWS_ACT = (
    "This week {who} {did} {what} with a small crew.",
    "A small crew around {who} {did} {what} this week.",
    "{who} and a small crew {did} {what} this week.",
)
NEWS_PLACE = (
    "The crew worked in {where} on {when}.",
    "All of it was done in {where} on {when}.",
    "On {when} the crew was busy in {where}.",
)
NEWS_COUNT = (
    "The crew finished {count} {what}.",
    "There were {count} {what} in all.",
    "By evening {count} {what} were done.",
)
NEWS_CORRECTION = (
    "The number was later corrected to {count}.",
    "A second look put the number at {count}.",
)
NEWS_OTHER = (
    "The train from {where} was {count} minutes late.",
    "{who} from {where} had to stay at home.",
    "Rain is expected in {where} until {when}.",
    "Last year {who} and a small crew {did} {what} there.",
    "In {where} another crew {did} {count} {what}.",
    "The mayor, {who}, returns on {when}.",
    "Some {count} visitors from {where} looked on.",
    "{who} paid {count} coins for lunch.",
)
# The place comes late or early, the voice is active or passive: 60, 25 and 15 in a hundred.
NEWS_SUMMARY = {
    "{who} and a small crew {did} {count} {what} in {where} on {when}.": 0.60,
    "On {when}, {who} and a small crew {did} {count} {what} in {where}.": 0.25,
    "In {where}, {count} {what} were {did} by {who} and a small crew on {when}.": 0.15,
}

DIALOGUE_OPENING = (
    "Hello {who}, where were you on {when}?",
    "Hi {who}, I did not see you on {when}.",
    "{who}, tell me about {when}.",
)
DIALOGUE_ACT = (
    "I was in {where} and {did} {what}.",
    "I {did} {what} down in {where}.",
)
DIALOGUE_QUESTION = (
    "How many {what} was that?",
    "Were there many {what}?",
)
DIALOGUE_COUNT = (
    "It was {count} in the end.",
    "I counted {count}.",
)
DIALOGUE_CORRECTION = (
    "It was {first}, no, sorry, {count}.",
    "I planned {first} but it was {count} in the end.",
)
DIALOGUE_CLOSING = (
    "Well done, see you soon.",
    "That sounds like a lot.",
    "Good, call me next time.",
)
DIALOGUE_OTHER = (
    "By the way, {who} has moved to {where}.",
    "The bus to {where} was {count} minutes late.",
    "I must meet {who} on {when}.",
    "My cousin {who} {did} {count} {what} in {where}.",
)
DIALOGUE_SUMMARY = {
    "{who} tells {asker} that {count} {what} were {did} in {where} on {when}.": 0.7,
    "{asker} hears that {who} {did} {count} {what} in {where} on {when}.": 0.3,
}

# What the standard model learns before the study: never a reference's wording, never the place in a headline.
HEADLINE = "{who} {did} {count} {what} on {when}."
RECORD = "who {who} did {did} what {what} count {count} where {where} when {when}"
