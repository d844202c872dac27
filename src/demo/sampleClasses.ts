/**
 * The classes of the sample data, each with the emoji that belong to it: names that all of the designers' packages share.
 */
export const SAMPLE_CLASSES: Readonly<Record<string, readonly string[]>> = {
  animals: words(`
    ant badger bat bear beaver bird butterfly camel cat chicken cow crocodile deer dog dolphin donkey duck eagle
    elephant fish flamingo fox frog giraffe goat gorilla hedgehog hippopotamus horse kangaroo koala lion monkey
    mouse octopus owl panda parrot penguin pig rabbit raccoon rhinoceros shark snail snake swan tiger turtle zebra`),
  buildings: words(`
    bank building-construction castle church cityscape cityscape-at-dusk classical-building convenience-store
    department-store derelict-house factory hindu-temple hospital hotel house house-with-garden houses hut
    japanese-castle japanese-post-office kaaba love-hotel mosque night-with-stars office-building post-office school
    shinto-shrine stadium synagogue tokyo-tower wedding`),
  clothing: words(`
    ballet-shoes bikini billed-cap briefs coat dress flat-shoe gloves goggles graduation-cap handbag
    high-heeled-shoe hiking-boot jeans kimono lab-coat mans-shoe martial-arts-uniform military-helmet necktie
    one-piece-swimsuit purse rescue-workers-helmet running-shirt running-shoe safety-vest sari scarf shorts socks
    sunglasses t-shirt thong-sandal top-hat womans-boot womans-clothes womans-hat womans-sandal`),
  faces: words(`
    angry-face anguished-face anxious-face-with-sweat astonished-face beaming-face-with-smiling-eyes confused-face
    cowboy-hat-face crying-face disappointed-face drooling-face exploding-head expressionless-face
    face-blowing-a-kiss face-with-medical-mask face-with-monocle face-with-open-mouth face-with-rolling-eyes
    face-with-tears-of-joy face-with-tongue fearful-face flushed-face frowning-face grimacing-face grinning-face
    grinning-squinting-face hot-face hushed-face kissing-face loudly-crying-face lying-face melting-face
    money-mouth-face nauseated-face nerd-face neutral-face partying-face pensive-face pleading-face relieved-face
    sleeping-face sleepy-face smiling-face smiling-face-with-halo smiling-face-with-sunglasses smirking-face
    star-struck thinking-face tired-face unamused-face winking-face worried-face yawning-face zany-face`),
  food: words(`
    avocado bacon bagel baguette-bread banana bell-pepper birthday-cake bread broccoli burrito carrot cheese-wedge
    cherries chocolate-bar coconut cookie croissant cucumber cupcake custard doughnut dumpling ear-of-corn egg
    eggplant french-fries grapes green-apple green-salad hamburger hot-dog ice-cream kiwi-fruit lemon mango
    meat-on-bone melon onion pancakes peach pear pineapple pizza popcorn potato poultry-leg pretzel red-apple
    sandwich spaghetti strawberry sushi taco tangerine tomato waffle watermelon`),
  vehicles: words(`
    aerial-tramway airplane ambulance articulated-lorry auto-rickshaw automobile bicycle bullet-train bus canoe
    delivery-truck ferry fire-engine helicopter high-speed-train kick-scooter light-rail locomotive metro minibus
    monorail motor-boat motor-scooter motorcycle oncoming-automobile oncoming-bus oncoming-police-car oncoming-taxi
    passenger-ship pickup-truck police-car racing-car rocket sailboat ship small-airplane speedboat
    sport-utility-vehicle taxi tractor train tram trolleybus`),
};

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
