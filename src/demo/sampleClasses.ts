/**
 * The classes of the sample data, each with the emoji that belong to it: names that all of the designers' packages share.
 * Every class has the same number, so that always naming one class is right as rarely as possible.
 */
export const SAMPLE_CLASSES: Readonly<Record<string, readonly string[]>> = {
  animals: words(`
    ant bear bird butterfly camel cat chicken cow crocodile dog dolphin elephant fish frog giraffe gorilla hedgehog horse
    kangaroo koala lion octopus owl panda penguin rabbit shark turtle`),
  buildings: words(`
    bank building-construction castle church cityscape classical-building convenience-store department-store derelict-house
    factory hindu-temple hospital hotel house house-with-garden houses hut japanese-castle japanese-post-office kaaba
    love-hotel mosque office-building post-office school shinto-shrine stadium synagogue`),
  clothing: words(`
    ballet-shoes bikini billed-cap briefs coat dress flat-shoe gloves graduation-cap high-heeled-shoe hiking-boot jeans kimono
    lab-coat mans-shoe necktie one-piece-swimsuit running-shirt running-shoe safety-vest scarf shorts socks t-shirt top-hat
    womans-clothes womans-hat womans-sandal`),
  faces: words(`
    angry-face anxious-face-with-sweat astonished-face confused-face crying-face disappointed-face drooling-face
    expressionless-face face-blowing-a-kiss face-with-monocle face-with-open-mouth face-with-tears-of-joy fearful-face
    flushed-face frowning-face grimacing-face grinning-face hot-face loudly-crying-face nerd-face neutral-face sleeping-face
    smiling-face smirking-face thinking-face winking-face worried-face yawning-face`),
  food: words(`
    avocado banana birthday-cake bread broccoli carrot cheese-wedge cherries cookie croissant cupcake doughnut egg
    french-fries grapes green-salad hamburger hot-dog ice-cream lemon pancakes pear pineapple pizza sandwich strawberry sushi
    watermelon`),
  vehicles: words(`
    airplane ambulance articulated-lorry automobile bicycle bullet-train bus canoe delivery-truck ferry fire-engine
    helicopter locomotive minibus motor-boat motor-scooter motorcycle passenger-ship pickup-truck police-car racing-car
    rocket sailboat sport-utility-vehicle taxi tractor train trolleybus`),
};

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
