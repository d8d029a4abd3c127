// Turn the sections into slides. Each has its own address, so that a reload stays and a slide can be linked.
Reveal.initialize({hash: true, width: 1120, height: 700, margin: 0.04, center: false, transition: "none",
                   plugins: [RevealNotes]});
